"""What a station measured, in canonical units."""

from datetime import datetime
from typing import NamedTuple


class Reading(NamedTuple):
    """One sampled value (OCPP 1.6 §7.43) with the defaults filled in."""

    reported_at: datetime | None
    measurand: str
    phase: str
    location: str
    context: str
    format: str
    unit: str
    value: float | None
    raw: str
