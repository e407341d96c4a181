"""Charger timestamps: what ISO 8601 allows (OCPP 1.6 §3.15), and what chargers send instead."""

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo

# What RFC 3339 allows and datetime reads by itself.
_STRICT = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:[0-5]\d)", re.ASCII)
_LENIENT = re.compile(
    r"(\d{4})-?(\d\d)-?(\d\d)"
    r"(?:[Tt ](\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,20}))?)? ?([Zz]|[+-]\d\d(?::?[0-5]\d)?)?)?",
    re.ASCII,
)
_MAX_OFFSET = timedelta(hours=18)
EARLIEST = datetime.min.replace(tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)

NAIVE, ODD, UNPARSABLE = "timestamp_naive", "timestamp_format", "timestamp_unparsable"


def parse_timestamp(value: object, zone: tzinfo) -> tuple[datetime | None, str]:
    """Return an aware UTC datetime, and the name of the rule that was needed to read it ("" for none).

    Naive times are in the station's `zone` (Growatt, AEFA). None stands for what cannot be read: nothing is guessed
    from epoch numbers, RFC 1123 or day-first dates. Digits after the sixth of a second are cut.
    """
    if not isinstance(value, str):
        return None, UNPARSABLE
    # The usual form, YYYY-MM-DDTHH:MM:SS[.ffffff]Z, read fastest. Its places are checked because fromisoformat() takes
    # week dates and other separators too, and lets anything stand behind the sixth digit.
    if (
        20 <= len(value) <= 27
        and value[-1] == "Z"
        and value[10] == "T"
        and value[4] == value[7] == "-"
        and value[13] == value[16] == ":"
        and (len(value) == 20 or (value[19] == "." and len(value) > 21))
    ):
        try:
            return datetime.fromisoformat(value), ""
        except ValueError:
            pass
    if _STRICT.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC), ""
        except (ValueError, OverflowError):
            pass  # 24:00:00, a leap second, the edges of the calendar: below
    return _parse_lenient(value, zone)


def _parse_lenient(value: str, zone: tzinfo) -> tuple[datetime | None, str]:
    match = _LENIENT.fullmatch(value.strip(" \t\r\n"))
    if match is None:
        return None, UNPARSABLE
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    extra = timedelta()
    hours, minutes, seconds = int(hour or 0), int(minute or 0), int(second or 0)
    if hours == 24 and minutes == seconds == 0:
        hours, extra = 0, timedelta(days=1)
    elif seconds == 60:
        seconds, extra = 59, timedelta(seconds=1)
    rule = ODD if offset else NAIVE
    try:
        micros = int(((fraction or "") + "000000")[:6])
        local = datetime(int(year), int(month), int(day), hours, minutes, seconds, micros, _zone(offset, zone))
    except ValueError:
        return None, UNPARSABLE
    try:
        return local.astimezone(UTC) + extra, rule
    except OverflowError:
        return (LATEST if local.year > 5000 else EARLIEST), rule


def _zone(offset: str | None, zone: tzinfo) -> tzinfo:
    if not offset:
        return zone
    if offset in "Zz":
        return UTC
    digits = offset[1:].replace(":", "")
    delta = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    if delta > _MAX_OFFSET:
        raise ValueError(offset)
    return timezone(-delta if offset[0] == "-" else delta)
