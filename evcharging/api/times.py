"""Instants in requests and answers: RFC 3339 with an offset, kept and shown in UTC."""

import re
from datetime import UTC, datetime, timedelta

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d):(\d\d)(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
MESSAGE = "Not an instant: write it as 2026-03-01T12:00:00Z (RFC 3339), with an offset."


def parse_instant(text: str) -> datetime:
    """Return the instant that a text means, in UTC; digits beyond the microsecond are dropped.

    :raises ValueError: it means none, or one outside of the years 1 to 9999.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(MESSAGE)
    day, minute, second, fraction, offset = match.groups()
    leap = second == "60"  # RFC 3339 allows it; the next second is what clocks without it say
    try:
        instant = datetime.fromisoformat(
            f"{day}T{minute}:{'59' if leap else second}{(fraction or '')[:7]}{'+00:00' if offset in 'Zz' else offset}"
        )
        return (instant + timedelta(seconds=leap)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(MESSAGE) from None


def instant_text(instant: datetime) -> str:
    """Return an instant as the API shows it: 2026-03-01T12:00:00Z, with as many digits as it has."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
