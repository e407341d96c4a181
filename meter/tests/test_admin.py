"""Meter values in the back office: lists without a count, and a transaction's charts and samples."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from meter.models import MeterValue, Series
from meter.services.readings import MeterMessage, record_readings
from meter.types import Reading
from stations.models import Station
from tests.support.back_office import page, queries, queries_grow, staff, table_rows
from tests.support.factories import make_station, reading, received, start, transaction_of
from transactions.models import Transaction

pytestmark = pytest.mark.django_db
LIST = "/admin/meter/metervalue/"
SERIES = "/admin/meter/series/"


def heard(identity: str | None = None, minutes_ago: int = 0) -> Station:
    """A station that was heard of so long ago."""
    return make_station(identity, last_seen_at=timezone.now() - timedelta(minutes=minutes_ago))


def report(
    station: Station, *readings: Reading, at: datetime | None = None, ref: str = "", row: int | None = None
) -> None:
    at = at or timezone.now()
    readings = tuple(one._replace(reported_at=at) for one in readings or (reading(1500.0),))
    record_readings(messages=[MeterMessage(received(station, at), 1, row, ref, readings)])


def charging(station: Station, at: datetime) -> Transaction:
    return transaction_of(start(station, at=at))


def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    assert queries_grow(admin_client, LIST, lambda number: report(heard())) == 0


def test_changelist_neither_counts_nor_looks_rows_up_by_id(admin_client):
    station = heard()
    report(station)
    with CaptureQueriesContext(connection) as captured:
        page(admin_client, f"{LIST}?series__station__id__exact={station.pk}")
        admin_client.get(f"{LIST}{MeterValue.objects.get().pk}/change/")
    asked = [query["sql"] for query in captured if 'FROM "meter_values"' in query["sql"]]
    by_id = [sql for sql in asked if "COUNT(" in sql or '"meter_values"."id" =' in sql or '"id" DESC' in sql]
    assert (len(asked) > 0, by_id) == (True, [])


def test_changelist_words_what_was_measured(admin_client):
    station = heard("CP")
    row = charging(station, timezone.now() - timedelta(hours=1))
    samples = (
        reading(21.5, measurand="Temperature", unit="Celsius", location="Body", context="Trigger"),
        reading(12_340.0, unit="kWh"),
        reading(None, measurand="Voltage", unit="V", phase="L1", raw="abc"),
    )
    report(station, *samples, ref=str(row.transaction_id), row=row.transaction_id)
    found = sorted(
        [cells[1], cells[3], cells[4], cells[5], cells[7]] for cells in table_rows(page(admin_client, LIST))
    )
    number = str(row.transaction_id)
    assert found == [
        ["CP", "Energy.Active.Import.Register", "12,340 Wh", number, ""],
        ["CP", "Temperature · Body · Trigger", "21.5 °C", number, ""],
        ["CP", "Voltage · L1", "", number, "abc"],
    ]


def test_changelist_shows_the_stations_heard_of_last_unless_one_is_chosen(admin_client):
    stations = [heard(f"A{number}", minutes_ago=number) for number in range(7)]
    for station in stations:
        report(station)
    text = page(admin_client, LIST)
    assert (sorted({cells[1] for cells in table_rows(text)}), text.count("bo-hint")) == (
        ["A0", "A1", "A2", "A3", "A4"],
        1,
    )
    text = page(admin_client, f"{LIST}?series__station__id__exact={stations[6].pk}")
    assert ({cells[1] for cells in table_rows(text)}, text.count("bo-hint")) == ({"A6"}, 0)


def test_changelist_shows_the_last_day_unless_told_otherwise(admin_client):
    station = heard()
    now = timezone.now()
    report(station, reading(1.0), at=now - timedelta(days=2))
    report(station, reading(2.0), at=now - timedelta(hours=1))
    path = f"{LIST}?series__station__id__exact={station.pk}"
    assert [cells[4] for cells in table_rows(page(admin_client, path))] == ["2 Wh"]
    day = f"{now - timedelta(days=3):%Y-%m-%d}"
    assert [cells[4] for cells in table_rows(page(admin_client, f"{path}&effective_at_from_0={day}"))] == [
        "2 Wh",
        "1 Wh",
    ]


def test_changelist_of_a_measurand_and_of_a_transaction(admin_client):
    station = heard()
    row = charging(station, timezone.now() - timedelta(hours=1))
    report(station, reading(230.0, measurand="Voltage", unit="V"))
    report(station, reading(2.0), ref=str(row.transaction_id), row=row.transaction_id)
    assert [cells[4] for cells in table_rows(page(admin_client, f"{LIST}?measurand=Voltage"))] == ["230 V"]
    found = table_rows(page(admin_client, f"{LIST}?transaction__id__exact={row.pk}"))
    assert [cells[4] for cells in found] == ["2 Wh"]


def test_changelist_escapes_what_chargers_sent(admin_client):
    markup = "<script>x"
    report(heard(), reading(None, measurand=markup, raw=markup, unit=markup), ref=markup)
    assert (page(admin_client, LIST) + page(admin_client, SERIES)).count(markup) == 0


def test_rows_are_read_only(admin_client):
    report(heard())
    pk = MeterValue.objects.get().pk
    page(admin_client, f"{LIST}add/", status=403)
    page(admin_client, f"{LIST}{pk}/change/", status=302)
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [pk], "post": "yes"})
    admin_client.post(f"{LIST}{pk}/delete/", {"post": "yes"})
    assert MeterValue.objects.count() == 1


def test_lists_need_permission():
    page(staff(), LIST, status=403)
    page(staff("meter.view_metervalue"), LIST)
    page(staff("meter.view_metervalue"), SERIES, status=403)


def test_series_changelist(admin_client):
    assert queries_grow(admin_client, SERIES, lambda number: report(heard(f"A{number}"))) == 0
    series = Series.objects.order_by("pk")[0]
    assert table_rows(page(admin_client, f"{SERIES}?q=a0"))[0][:4] == [
        "Energy.Active.Import.Register",
        "A0",
        "1",
        "Wh",
    ]
    page(admin_client, f"{SERIES}{series.pk}/change/")
    page(admin_client, f"{SERIES}add/", status=403)


# On a transaction's page


@pytest.fixture
def charged() -> Transaction:
    """A transaction that began an hour ago, with a sample a minute for half an hour."""
    station = heard()
    begun = timezone.now() - timedelta(hours=1)
    row = charging(station, begun)
    for minute in range(30):
        samples = (
            reading(1000.0 + 120 * minute),
            reading(7200.0, measurand="Power.Active.Import", unit="W"),
            reading(40.0 + minute, measurand="SoC", unit="Percent"),
        )
        report(
            station,
            *samples,
            at=begun + timedelta(minutes=minute),
            ref=str(row.transaction_id),
            row=row.transaction_id,
        )
    return row


def test_transaction_page_draws_its_curves(admin_client, charged):
    text = page(admin_client, f"/admin/transactions/transaction/{charged.pk}/change/")
    labels = [f'aria-label="{label}"' for label in (
        "Energy, up to 3.480 kWh", "Power, up to 7.20 kW", "State of charge, up to 69 %",
    )]  # fmt: skip
    assert [text.count(label) for label in labels] == [1, 1, 1]


def test_transaction_page_shows_its_samples_page_by_page(admin_client, charged):
    path = f"/admin/transactions/transaction/{charged.pk}/change/"

    def lines(query: str) -> int:
        return page(admin_client, path + query).count('<td class="bo-nowrap">')

    counts = [lines(query) for query in ("", "?samples=2", "?samples=3", "?samples=0", "?samples=x", "?samples=-1")]
    assert counts == [25, 5, 0, 25, 25, 25]


def test_transaction_page_runs_as_many_queries_for_any_number_of_samples(admin_client, charged):
    path = f"/admin/transactions/transaction/{charged.pk}/change/"
    page(admin_client, path)
    few = charging(heard(), timezone.now())
    report(few.station, ref=str(few.transaction_id), row=few.transaction_id)
    assert queries(admin_client, path) == queries(admin_client, f"/admin/transactions/transaction/{few.pk}/change/")


def test_transaction_page_without_samples_says_so(admin_client):
    row = charging(heard(), timezone.now())
    text = page(admin_client, f"/admin/transactions/transaction/{row.pk}/change/")
    assert (text.count("No samples to draw."), text.count("No samples.")) == (1, 1)


def test_transaction_page_shows_no_samples_to_who_may_not_see_them(charged):
    text = page(staff("transactions.view_transaction"), f"/admin/transactions/transaction/{charged.pk}/change/")
    assert (text.count('aria-label="Samples"'), text.count("<svg viewBox")) == (0, 0)


def test_station_page_draws_the_energy_of_the_last_days(admin_client):
    station = heard("CP")
    path = f"/admin/stations/station/{station.pk}/change/"
    assert "No energy in the last 30 days." in page(admin_client, path)
    now = timezone.now()
    for days, register in ((35, 500.0), (3, 1500.0), (2, 0.0), (1, 2000.0)):
        report(station, reading(register), at=now - timedelta(days=days))
    text = page(admin_client, path)
    assert "3.0 kWh" in text
    assert (text.count("bo-pillar"), text.count("bo-pillar-marked"), text.count("In orange")) == (31, 1, 1)


def test_station_page_shows_energy_to_who_may_see_meter_values():
    path = f"/admin/stations/station/{heard('CP').pk}/change/"
    title = "Energy of the last 30 days"
    assert title not in page(staff("stations.view_station"), path)
    assert title in page(staff("stations.view_station", "meter.view_metervalue"), path)
