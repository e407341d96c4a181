"""Sessions that are complete in the charger, delivered in any way a network can mangle them."""

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meter.services.readings import MeterMessage, record_readings
from meter.types import Reading
from stations.models import Station
from tests.support.factories import (
    NOON,
    make_id_tag,
    make_station,
    reading,
    received,
    report_start,
    report_stop,
    start_report,
    stop_report,
)
from transactions.models import OrphanMessage, StopConflict, Transaction
from transactions.types import StartAnswer, StartMessage, StopMessage

_examples = itertools.count(1)


class Session:
    """A charging session as it was: what its charger sends of it, and what must be known at the end."""

    def __init__(
        self, prefix: str, connector_id: int, number: int, steps: list[int], *, has_meter_start: bool
    ) -> None:
        self.connector_id = connector_id
        self.tag = f"{prefix}{connector_id}"
        began = NOON + timedelta(hours=number)
        meter_start = 10_000 * connector_id + 3000 * number
        values = list(itertools.accumulate(steps, initial=meter_start))
        self.start = start_report(
            connector_id=connector_id,
            id_tag=self.tag,
            meter_start=meter_start if has_meter_start else None,
            reported_at=began,
            timestamp_raw=began.isoformat(),
        )
        self.readings = [
            reading(float(value), reported_at=began + timedelta(minutes=minute))
            for minute, value in enumerate(values[1:], start=1)
        ]
        self.ended = began + timedelta(minutes=45)
        self.meter_stop = values[-1] + 7
        self.energy_wh = self.meter_stop - meter_start if has_meter_start else None
        self.answer: StartAnswer | None = None
        self.messages: list[Any] = [
            self._send_start,
            *[self._sender(sample) for sample in self.readings],
            self._send_stop,
        ]

    def _send_start(self, machine: "Delivery") -> None:
        answer = report_start(StartMessage(received(machine.station, machine.now), self.start))
        if self.answer is None:
            assert not answer.is_resend
            self.answer = answer
        else:
            assert (answer.transaction_id, answer.is_resend) == (self.answer.transaction_id, True)

    def _sender(self, sample: Reading) -> Any:
        def send(machine: "Delivery") -> None:
            assert self.answer is not None
            transaction_id = self.answer.transaction_id
            came = received(machine.station, machine.now)
            message = MeterMessage(came, self.connector_id, transaction_id, str(transaction_id), [sample])
            assert record_readings(messages=[message]) == [True]

        return send

    def _send_stop(self, machine: "Delivery") -> None:
        assert self.answer is not None
        report = stop_report(
            transaction_id=self.answer.transaction_id,
            id_tag=self.tag,
            meter_stop=self.meter_stop,
            reported_at=self.ended,
            timestamp_raw=self.ended.isoformat(),
            transaction_data=(self.readings[-1],),
        )
        answer = report_stop(StopMessage(received(machine.station, machine.now), report, {}))
        assert answer.authorization == {"status": "Accepted"}


class Delivery:
    """The way of sessions' messages to the central system: late, in any order across sessions, and more than once."""

    def __init__(self, sessions: list[Session], station: Station) -> None:
        self.sessions, self.station = sessions, station
        self.now = NOON + timedelta(hours=24)
        self.delivered: list[Any] = []

    def run(self, data: st.DataObject) -> None:
        """Deliver everything: each session's messages in their order, all else as drawn."""
        queues = [list(session.messages) for session in self.sessions]
        while any(queues):
            self.now += timedelta(seconds=30)
            choice = data.draw(st.integers(0, 7), label="what comes next")
            if choice == 6 and self.delivered:
                data.draw(st.sampled_from(self.delivered), label="again")(self)
            elif choice == 7:
                self.station.connection_epoch += 1
                self.station.save(update_fields=["connection_epoch"])
            else:
                waiting = [queue for queue in queues if queue]
                message = data.draw(st.sampled_from(waiting), label="of session").pop(0)
                message(self)
                self.delivered.append(message)
        for message in data.draw(st.permutations(self.delivered), label="all again"):
            message(self)


steps = st.lists(st.integers(0, 900), min_size=1, max_size=3)


@pytest.mark.usefixtures("committed_database")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data(), per_connector=st.lists(st.lists(steps, min_size=1, max_size=3), min_size=1, max_size=2))
def test_sessions_end_the_same_however_they_are_delivered(
    data: st.DataObject, per_connector: list[list[list[int]]]
) -> None:
    prefix = f"d{next(_examples)}-"
    sessions = [
        Session(prefix, connector_id, number, energies, has_meter_start=(connector_id + number) % 4 != 0)
        for connector_id, sessions in enumerate(per_connector, start=1)
        for number, energies in enumerate(sessions)
    ]
    for connector_id in range(1, len(per_connector) + 1):
        make_id_tag(f"{prefix}{connector_id}")
    station = make_station(f"{prefix}station")
    Delivery(sessions, station).run(data)
    rows = {row.transaction_id: row for row in Transaction.objects.filter(station=station)}
    assert len(rows) == len(sessions)
    for session in sessions:
        assert session.answer is not None
        row = rows[session.answer.transaction_id]
        assert (row.closing, row.started_at, row.stopped_at) == ("reported", session.start.reported_at, session.ended)
        assert (row.meter_stop, row.energy_wh) == (session.meter_stop, session.energy_wh)
        assert row.accepted
        assert sorted(row.meter_values.values_list("value", flat=True)) == sorted(
            sample.value for sample in session.readings if sample.value is not None
        )
    assert not OrphanMessage.objects.filter(station=station).exists()
    assert not StopConflict.objects.filter(transaction__station=station).exists()
