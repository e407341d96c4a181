"""Times in requests and answers: RFC 3339 with an offset, stored and shown in UTC."""

import re
from datetime import UTC, datetime, timedelta

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
MESSAGE = "Not an instant: write it as 2026-03-01T12:00:00Z (RFC 3339), with an offset."


def parse_instant(text: str) -> datetime:
    """Parse a time; return it in UTC. Digits beyond microseconds are dropped.

    :raises ValueError: it means none, or one outside of the years 1 to 9999.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(MESSAGE)
    day, minute, second, fraction, offset = match.groups()
    leap = second == "60"  # a leap second, allowed by RFC 3339; datetime has none, so it is the next second
    try:
        instant = datetime.fromisoformat(
            f"{day}T{minute}:{'59' if leap else second}{(fraction or '')[:7]}{'+00:00' if offset in 'Zz' else offset}"
        )
        return (instant + timedelta(seconds=leap)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(MESSAGE) from None


def instant_text(instant: datetime) -> str:
    """Format a time: 2026-03-01T12:00:00Z, with a fraction of the second if it has one."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
