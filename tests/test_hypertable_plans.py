"""Every statement that asks a big table names its series or station and a time that is a constant: it is found by the
index, and in TimescaleDB it opens the chunks of its time alone, however old the system is."""

import ast
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evcharging.db.time_windows import has_rows
from meter.models import MeterValue, RollupProgress
from meter.rollups.aggregates import Width, energy, power, station_day_chart, station_month_energy
from meter.rollups.late import quarter_of
from meter.rollups.roll_up import roll_up
from meter.selectors import curves, sample_table, samples_of
from meter.services.readings import MeterMessage, record_readings
from stations.models import Station
from status_notifications.models import StatusNotification
from status_notifications.selectors import latest_statuses
from status_notifications.services.statuses import StatusMessage, record_statuses
from status_notifications.types import StatusReport
from tests.support.api import Program
from tests.support.back_office import page
from tests.support.factories import make_id_tag, make_station, reading, received, start, stop, transaction_of
from tests.support.live_server import REPOSITORY
from tests.support.plans import NAMES, Asked, explained, make_probes
from transactions.models import OrphanMessage, Transaction
from transactions.services.orphans import adopt_orphan

pytestmark = [pytest.mark.django_db, pytest.mark.storage]

NOW = timezone.now().replace(minute=0, second=0, microsecond=0)
BEGIN = NOW - timedelta(days=10)
ALL_STATIONS = [
    re.compile(r"INSERT INTO meter_rollup_(15m|day).*GROUP BY 1, 2", re.S),  # a stretch of time is rolled up
    re.compile(r'FROM "status_notifications".*ORDER BY "status_notifications"."effective_at" \w+, ', re.S),  # a day
]
"""What reads all series and stations of a time, which is its purpose."""


@pytest.fixture
def station() -> Station:
    """Ten days of samples and statuses, rolled up, some of them late; a transaction, and meter values that wait for
    theirs."""
    make_id_tag("TAG")
    station = make_station(last_seen_at=NOW)
    row = transaction_of(start(station, at=NOW - timedelta(hours=3)))
    for hours in range(0, 240, 3):
        at = BEGIN + timedelta(hours=hours)
        send(station, at, 100.0 * hours)
        report = StatusReport(1, "Available" if hours % 2 else "Charging", "NoError", "", "", "", at)
        record_statuses(messages=[StatusMessage(received(station, at), report)])
    begun = quarter_of(BEGIN).replace(hour=0, minute=0)
    RollupProgress.objects.create(quarters_until=begun, days_until=begun)
    roll_up(now=NOW)
    send(station, NOW - timedelta(days=4, minutes=20), 5.0, received_at=NOW)
    send(station, NOW - timedelta(hours=2), 900.0, ref=str(row.transaction_id), transaction_id=row.transaction_id)
    send(station, NOW - timedelta(minutes=150), 950.0, ref="-7", connector_id=2)
    return station


def send(station: Station, at, value: float, *, received_at=None, ref="", transaction_id=None, connector_id=1) -> None:
    readings = [
        reading(value, reported_at=at),
        reading(value, reported_at=at, measurand="Power.Active.Import", unit="W"),
    ]
    message = MeterMessage(received(station, received_at or at), connector_id, transaction_id, ref, readings)
    assert record_readings(messages=[message]) == [True]


def ask_charts(station: Station, client, program: Program) -> None:
    for width in Width:
        energy(station_id=station.pk, since=NOW - timedelta(days=5), until=NOW, width=width)
        power(station_id=station.pk, since=NOW - timedelta(days=5), until=NOW, width=width, connector_id=1)
    for day in (NOW - timedelta(days=4), NOW):
        station_day_chart(station, day.date())
    station_month_energy(station, NOW.year, NOW.month)


def ask_transaction(station: Station, client, program: Program) -> None:
    row = Transaction.objects.get()
    assert sample_table(row, page=1, size=5).lines
    assert curves(row).register
    page(client, f"/admin/transactions/transaction/{row.pk}/change/")
    assert program.get(f"transactions/{row.transaction_id}/meter-values/")["results"]
    assert program.get("meter-values/", transaction_id=row.transaction_id)["results"]


def ask_station(station: Station, client, program: Program) -> None:
    page(client, f"/admin/stations/station/{station.pk}/change/")
    assert len(latest_statuses(station_id=station.pk, limit=20, now=NOW)) == 20
    assert len(latest_statuses(station_id=station.pk, limit=200, now=NOW)) == 80
    assert has_rows(station.status_notifications.all())
    assert not has_rows(StatusNotification.objects.filter(station_id=make_station().pk))


def ask_lists(station: Station, client, program: Program) -> None:
    values, statuses = "/admin/meter/metervalue/", "/admin/status_notifications/statusnotification/"
    until = f"effective_at_to_0={NOW:%Y-%m-%d}"
    since = f"effective_at_from_0={BEGIN:%Y-%m-%d}"
    for query in ("", f"&{since}", f"&{until}", f"&{since}&{until}"):
        page(client, f"{values}?{query}")
        page(client, f"{values}?series__station__id__exact={station.pk}&measurand=Power.Active.Import{query}")
        page(client, f"{statuses}?{query}")
        page(client, f"{statuses}?station__id__exact={station.pk}{query}")


def ask_api(station: Station, client, program: Program) -> None:
    period = {"since": BEGIN.isoformat(), "until": (NOW + timedelta(hours=1)).isoformat()}
    assert program.get("meter-values/", station=station.identity, **period)["results"]
    statuses = {"station": station.identity, "page_size": 3}
    first = program.get("status-notifications/", **statuses)
    cursor = parse_qs(urlsplit(first["next"]).query)["cursor"][0]
    assert first["results"] != program.get("status-notifications/", cursor=cursor, **statuses)["results"]
    for parameters in ({"ordering": "effective_at"}, {"since": period["since"]}, {"until": period["until"]}, period):
        assert program.get("status-notifications/", **statuses, **parameters)["results"]
    day = {"since": (NOW - timedelta(days=2)).isoformat(), "until": (NOW - timedelta(days=1)).isoformat()}
    assert program.get("status-notifications/", **day)["results"]


def adopt(station: Station, client, program: Program) -> None:
    answer = start(station, connector_id=2, id_tag="OTHER", at=NOW - timedelta(minutes=140))
    (waiting,) = OrphanMessage.objects.all()
    adopt_orphan(orphan_id=waiting.pk, transaction_id=answer.transaction_id, resolved_by="ann", note="", now=NOW)
    assert samples_of(transaction_of(answer)).count() == 2


def store(station: Station, client, program: Program) -> None:
    row = Transaction.objects.get()
    data = (reading(2000.0, reported_at=NOW - timedelta(minutes=30)),)
    stop(station, transaction_id=row.transaction_id, transaction_data=data, at=NOW)


def roll_up_late(station: Station, client, program: Program) -> None:
    assert roll_up(now=NOW + timedelta(days=1)).late > 0


DOORS = [ask_charts, ask_transaction, ask_station, ask_lists, ask_api, adopt, store, roll_up_late]


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__name__)
def test_statements_name_series_and_a_constant_time(station, admin_client, door: Callable[..., None]) -> None:
    program, probes = Program(), make_probes()
    with CaptureQueriesContext(connection) as sent, explained() as asked:
        door(station, admin_client, program)
    # what is sent otherwise, prepared, only inserts; a text in a statement is no name of a table
    others = [query["sql"] for query in sent if NAMES.search(re.sub(r"'[^']*'", "", query["sql"]))]
    assert len([sql for sql in others if not re.search(r"EXPLAIN|INSERT INTO|_information", sql)]) <= len(asked)
    assert [each for each in asked if each.unbounded(probes)] == []
    assert [each for each in asked if each.unnamed() and not reads_all_stations(each)] == []


def reads_all_stations(asked: Asked) -> bool:
    return any(pattern.search(asked.statement) for pattern in ALL_STATIONS)


def test_day_chart_opens_the_chunks_of_its_day_alone(station) -> None:
    """Ten days lie before: what is looked for there is in the roll-ups of days."""
    day = NOW - timedelta(days=1)
    with explained() as asked:
        chart = station_day_chart(station, day.date())
    opened = {scan.relation for each in asked for scan in each.scans if scan.table == "meter_values"}
    assert chart.energy
    assert len(opened) <= 2


def test_check_sees_a_statement_without_time_or_series(station) -> None:
    """The ways that were wrong once: by id, and without a begin."""
    probes = make_probes()
    with explained() as asked:
        MeterValue.objects.filter(series__station_id=station.pk, transaction_ref="-7").update(transaction_ref="")
        list(MeterValue.objects.filter(series_id=1, effective_at__lt=NOW))
        list(MeterValue.objects.filter(effective_at__range=(BEGIN, NOW)))
    by_id, without_begin, without_series = asked
    assert by_id.unnamed()
    assert without_series.unnamed()
    assert not without_begin.unnamed()
    if probes:
        assert len(by_id.unbounded(probes)) == 1
        assert len(without_begin.unbounded(probes)) == 1
        assert not without_series.unbounded(probes)


KNOWN = {
    "meter/admin/meter_values.py",
    "meter/api.py",
    "meter/rollups/aggregate_sql.py",
    "meter/rollups/roll_up.py",
    "meter/rollups/roll_up_sql.py",
    "meter/selectors.py",
    "meter/services/inserting.py",
    "meter/services/readings.py",
    "meter/storage.py",  # the views' definitions
    "status_notifications/admin/badges.py",  # says so in words
    "status_notifications/admin/status_history.py",
    "status_notifications/api.py",
    "status_notifications/selectors.py",
    "status_notifications/services/statuses.py",
}
"""The modules that ask a big table. A new one is asked by a door above, too."""
APPS = ("evcharging", "stations", "connectors", "id_tags", "transactions", "meter", "status_notifications")
_ASKS = re.compile(r"\b(FROM|JOIN|INTO|UPDATE)\s+(meter_values|meter_rollup_15m|status_notifications)\b")


def test_every_module_that_asks_a_big_table_is_known_here() -> None:
    modules = [path for app in APPS for path in (REPOSITORY / app).rglob("*.py")]
    own = [
        path for path in modules if not {"tests", "migrations", "simulator"} & set(path.relative_to(REPOSITORY).parts)
    ]
    found = {str(path.relative_to(REPOSITORY)) for path in own if path.name != "models.py" and asks_one(path)}
    assert found == KNOWN


def asks_one(path: Path) -> bool:
    tree = ast.parse(path.read_text())
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return bool({"MeterValue", "QuarterRollup", "StatusNotification"} & names) or any(map(_ASKS.search, texts))
