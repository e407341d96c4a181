"""Timestamps: what OCPP allows, what chargers send instead, and what is no time."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evcharging.gateway.ocppj.timestamps import EARLIEST, LATEST, parse_timestamp


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2023-10-19T15:28:07Z", utc(2023, 10, 19, 15, 28, 7)),
        ("2023-10-19T15:28:07z", utc(2023, 10, 19, 15, 28, 7)),
        ("2023-10-19t15:28:07Z", utc(2023, 10, 19, 15, 28, 7)),
        ("2023-10-19T15:28:07.1Z", utc(2023, 10, 19, 15, 28, 7, 100000)),
        ("2023-10-19T15:28:07.12Z", utc(2023, 10, 19, 15, 28, 7, 120000)),
        ("2023-10-19T15:28:07.123Z", utc(2023, 10, 19, 15, 28, 7, 123000)),
        ("2023-10-19T15:28:07.1234Z", utc(2023, 10, 19, 15, 28, 7, 123400)),
        ("2023-10-19T15:28:07.12345Z", utc(2023, 10, 19, 15, 28, 7, 123450)),
        ("2023-10-19T15:28:07.123456Z", utc(2023, 10, 19, 15, 28, 7, 123456)),
        ("2023-10-19T15:28:07.1234567Z", utc(2023, 10, 19, 15, 28, 7, 123456)),
        ("2023-10-19T15:28:07.12345678Z", utc(2023, 10, 19, 15, 28, 7, 123456)),
        ("2023-10-19T15:28:07.123456789Z", utc(2023, 10, 19, 15, 28, 7, 123456)),
        ("2023-10-19T15:28:07.123+02:00", utc(2023, 10, 19, 13, 28, 7, 123000)),
        ("2023-10-19T15:28:07+14:00", utc(2023, 10, 19, 1, 28, 7)),
        ("2023-10-19T15:28:07-12:00", utc(2023, 10, 20, 3, 28, 7)),
        ("2023-10-19T15:28:07+05:45", utc(2023, 10, 19, 9, 43, 7)),
        ("2023-10-19T15:28:07-00:00", utc(2023, 10, 19, 15, 28, 7)),
        ("1970-01-01T00:00:00Z", utc(1970, 1, 1)),
        ("2000-01-01T00:00:00Z", utc(2000, 1, 1)),
        ("2038-01-19T03:14:08Z", utc(2038, 1, 19, 3, 14, 8)),
        ("2106-02-07T06:28:16Z", utc(2106, 2, 7, 6, 28, 16)),
        ("9999-12-31T23:59:59Z", utc(9999, 12, 31, 23, 59, 59)),
        ("0001-01-01T00:00:00Z", utc(1, 1, 1)),
        ("2024-02-29T00:00:00Z", utc(2024, 2, 29)),
    ],
)
def test_time_as_specified_needs_no_rule(text: str, instant: datetime) -> None:
    assert parse_timestamp(text, ZoneInfo("Asia/Tokyo")) == (instant, "")


@pytest.mark.parametrize(
    ("text", "instant", "rule"),
    [
        ("2023-10-19T15:28:07", utc(2023, 10, 19, 13, 28, 7), "timestamp_naive"),  # Growatt
        ("2026-08-04T13:35:45.377", utc(2026, 8, 4, 11, 35, 45, 377000), "timestamp_naive"),  # AEFA
        ("2023-01-19T15:28:07", utc(2023, 1, 19, 14, 28, 7), "timestamp_naive"),
        ("2023-10-19T15:28:07+02", utc(2023, 10, 19, 13, 28, 7), "timestamp_format"),  # Monta
        ("2023-10-19T15:28:07+0200", utc(2023, 10, 19, 13, 28, 7), "timestamp_format"),
        ("2023-10-19 15:28:07Z", utc(2023, 10, 19, 15, 28, 7), "timestamp_format"),
        ("2023-10-19 15:28:07", utc(2023, 10, 19, 13, 28, 7), "timestamp_naive"),
        ("2023-10-19T15:28Z", utc(2023, 10, 19, 15, 28), "timestamp_format"),
        ("2023-10-19T15:28", utc(2023, 10, 19, 13, 28), "timestamp_naive"),
        ("20231019T152807Z", utc(2023, 10, 19, 15, 28, 7), "timestamp_format"),
        ("2023-10-19", utc(2023, 10, 18, 22), "timestamp_naive"),
        ("2023-10-19T15:28:07,123Z", utc(2023, 10, 19, 15, 28, 7, 123000), "timestamp_format"),
        ("2023-10-19T24:00:00Z", utc(2023, 10, 20), "timestamp_format"),
        ("2016-12-31T23:59:60Z", utc(2017, 1, 1), "timestamp_format"),
        ("2017-01-01T00:59:60+01:00", utc(2017, 1, 1), "timestamp_format"),
        (" 2023-10-19T15:28:07Z\n", utc(2023, 10, 19, 15, 28, 7), "timestamp_format"),
        ("0001-01-01T12:00:00", utc(1, 1, 1, 11, 6, 32), "timestamp_naive"),
        ("9999-12-31T23:59:59-01:00", LATEST, "timestamp_format"),
        ("9999-12-31T24:00:00Z", LATEST, "timestamp_format"),
        ("9999-12-31T23:59:60Z", LATEST, "timestamp_format"),
        ("0001-01-01T00:00:00+02:00", EARLIEST, "timestamp_format"),
        ("0001-01-01T00:00:00", EARLIEST, "timestamp_naive"),
    ],
)
def test_time_read_leniently_in_the_stations_zone(text: str, instant: datetime, rule: str) -> None:
    assert parse_timestamp(text, ZoneInfo("Europe/Berlin")) == (instant, rule)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "0",
        "now",
        "null",
        "2023-02-30T00:00:00Z",
        "2023-13-01T00:00:00Z",
        "2023-00-01T00:00:00Z",
        "0000-00-00T00:00:00Z",
        "0000-01-01T00:00:00Z",
        "10000-01-01T00:00:00Z",
        "+10000-01-01T00:00:00Z",
        "2023-10-19T25:00:00Z",
        "2023-10-19T24:00:01Z",
        "2023-10-19T24:01:00Z",
        "2023-10-19T15:60:00Z",
        "2023-10-19T15:28:61Z",
        "2023-10-19T15:28:07+24:00",
        "2023-10-19T15:28:07+02:60",
        "2023-10-19T15:28:07.Z",
        "2023-10-19T15:28:07.123456xZ",
        "2023-10-19T15:28:07.123456 +Z",
        "2023-10-19T15:28:07ZZ",
        "1697729287",
        "1697729287000",
        "Thu, 19 Oct 2023 15:28:07 GMT",
        "19/10/2023 15:28:07",
        "10/19/2023",
        "19.10.2023 15:28",
        "2023-W42-4T15:28:07Z",
        "2023-W42-4",
        "2023W424T152807Z",
        "2023-292T15:28:07Z",
        "2023292",
        "٢٠٢٣-١٠-١٩T١٥:٢٨:٠٧Z",
        "2023-10-19T15:28:0٧Z",
        "2023-10-19T15:28:07Z\x00",
        "2023-10-19T15:28:07\ufffd",
        "-023-10-19T15:28:07Z",
        "2023-10-19T-5:28:07Z",
        pytest.param("2023-10-19T15:28:07" + "0" * 100_000, id="long"),
        1697729287,
        1697729287.5,
        20231019,
        None,
        True,
        ["2023-10-19T15:28:07Z"],
        {"time": "2023-10-19T15:28:07Z"},
    ],
)
def test_what_is_no_time_is_none(value: Any) -> None:
    assert parse_timestamp(value, UTC) == (None, "timestamp_unparsable")


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-03-31T02:30:00", utc(2024, 3, 31, 1, 30)),  # does not exist in Berlin
        ("2024-10-27T02:30:00", utc(2024, 10, 27, 0, 30)),  # exists twice: the first
    ],
)
def test_naive_time_at_a_change_of_clocks(text: str, instant: datetime) -> None:
    assert parse_timestamp(text, ZoneInfo("Europe/Berlin")) == (instant, "timestamp_naive")


@settings(deadline=None)
@given(
    st.one_of(
        st.text(max_size=40),
        st.text(alphabet="0123456789-:.,TZ+ W", max_size=32),
        st.datetimes(timezones=st.timezones()).map(lambda at: at.isoformat()),
        st.datetimes().map(lambda at: at.isoformat() + "Z"),
    ),
    st.sampled_from(["UTC", "Pacific/Kiritimati", "America/St_Johns", "Europe/Dublin"]),
)
def test_any_text_is_a_storable_time_or_none(text: str, zone: str) -> None:
    instant, rule = parse_timestamp(text, ZoneInfo(zone))
    if instant is None:
        assert rule == "timestamp_unparsable"
    else:
        assert instant.tzinfo is UTC
        assert EARLIEST <= instant <= LATEST


@settings(deadline=None)
@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_iso_text_comes_back_to_the_microsecond(instant: datetime) -> None:
    assert parse_timestamp(instant.isoformat().replace("+00:00", "Z"), UTC) == (instant, "")
    assert parse_timestamp(instant.isoformat(), UTC) == (instant, "")
