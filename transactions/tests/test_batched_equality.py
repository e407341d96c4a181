"""The same sessions on the fast paths and on the general path: the same rows and answers."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.models import Connector
from stations.models import Station
from tests.support.batched import make_ready_stations, start_message, stop_message
from tests.support.factories import (
    NOON,
    make_id_tag,
    make_station,
    report_start,
    transaction_of,
)
from transactions.models import Transaction
from transactions.services.batched_starts import record_starts
from transactions.services.batched_stops import record_stops
from transactions.services.readings import (
    RunningValue,
    update_running_values,
)
from transactions.services.start import start_transaction
from transactions.services.stop import stop_transaction
from transactions.types import StartAnswer, StartMessage

pytestmark = pytest.mark.django_db


moments = st.integers(0, 3).map(lambda minutes: NOON + timedelta(minutes=minutes))
starts = st.fixed_dictionaries(
    {
        "id_tag": st.sampled_from(["one", "two", "any", "nobody"]),
        "at": moments,
        "meter_start": st.sampled_from([Decimal(0), Decimal(1000), Decimal("5000.25")]),
        "reservation_id": st.sampled_from([None, 0, 12]),
    }
)
stops = st.fixed_dictionaries(
    {
        "id_tag": st.sampled_from([None, "one", "nobody"]),
        "at": moments.map(lambda at: at + timedelta(hours=1)),
        "meter_stop": st.sampled_from([None, Decimal(1000), Decimal("9000.5")]),
        "reason": st.sampled_from(["Local", "Remote"]),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sessions=st.lists(
        st.tuples(st.integers(1, 2), starts, st.none() | moments, st.none() | stops), min_size=1, max_size=5
    )
)
def test_rows_and_answers_are_those_of_the_general_path(
    sessions: list[tuple[int, dict[str, Any], datetime | None, dict[str, Any] | None]],
) -> None:
    def told(*, by_batch: bool) -> list[object]:
        station = make_station()
        tags = {name: f"{station.identity}-{name}" for name in ("one", "two", "any", "nobody")}
        make_id_tag(tags["one"])
        make_id_tag(tags["two"], max_active_transactions=2)
        make_id_tag(tags["any"], max_active_transactions=0)
        Connector.objects.bulk_create(Connector(station=station, connector_id=number) for number in (1, 2))
        answers: list[Any] = []
        for connector_id, begin, read_at, end in sessions:
            start_ = start_message(station, connector_id=connector_id, **(begin | {"id_tag": tags[begin["id_tag"]]}))
            answer = record_starts(messages=[start_])[0] if by_batch else None
            started = answer or start_transaction(**start_._asdict())
            answers.append((started.authorization, started.is_resend, started.is_cacheable))
            if read_at is not None:
                pk = transaction_of(started).pk
                value = RunningValue(pk, True, read_at, 3000.125, read_at, 11.0, read_at, None, None)
                update_running_values(values=[value])
            if end is not None:
                tag = None if end["id_tag"] is None else tags[end["id_tag"]]
                stop_ = stop_message(
                    station, started.transaction_id, content_hash=repr(end).encode()[:16], **(end | {"id_tag": tag})
                )
                halted = (record_stops(messages=[stop_])[0] if by_batch else None) or stop_transaction(
                    **stop_._asdict()
                )
                answers.append(halted.authorization)
        rows = Transaction.objects.filter(station=station).order_by("pk").select_related("connector")
        assert [row.ref for row in rows] == [str(row.transaction_id) for row in rows]
        marks = [sorted(row.marks) for row in rows]
        ignored = {
            "id",
            "marks",
            "transaction_id",
            "ref",
            "station",
            "connector",
            "tag",
            "id_tag",
            "stop_id_tag",
            "id_tag_folded",
        }
        fields = [field.attname for field in Transaction._meta.concrete_fields if field.name not in ignored]
        suffixes = [(row.id_tag.rpartition("-")[2], row.stop_id_tag.rpartition("-")[2]) for row in rows]
        registers = list(station.connectors.order_by("connector_id").values_list("last_meter_stop_wh", flat=True))
        return [answers, suffixes, registers, marks, *([getattr(row, name) for name in fields] for row in rows)]

    assert told(by_batch=True) == told(by_batch=False)


@pytest.mark.django_db(transaction=True)
def test_one_tag_at_many_stations_at_once_charges_once():
    make_id_tag("SHARED")
    stations = make_ready_stations(12)
    infos: list[dict[str, str]] = []

    def start_by_itself(message: StartMessage) -> StartAnswer:
        return start_transaction(**message._asdict())

    def run(report: Callable[[StartMessage], StartAnswer], share: list[Station]) -> None:
        for station in share:
            infos.append(report(start_message(station, id_tag="SHARED")).authorization)
        connection.close()

    threads = [
        threading.Thread(target=run, args=(report_start if number % 2 else start_by_itself, stations[number::4]))
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(info["status"] for info in infos) == ["Accepted"] + ["ConcurrentTx"] * 11
