"""What OCPP asks of charging profiles beyond its schema (OCPP 1.6 §3.13, §7.8, §7.13). Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from typing import Any

from transactions.operations import Profile, Schedule

MAX_PERIODS = 1000
MAX_RATE = 1_000_000_000
"""The highest limit, in W or A: more than any site draws, and far from where numbers lose their tenths."""


class BadProfile(ValueError):
    """The profile breaks a rule; the text says which."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a station said of its abilities; None where it said nothing.

    `units` are of W and A.
    """

    max_stack_level: int | None = None
    max_periods: int | None = None
    units: frozenset[str] = frozenset()


def check_profile(profile: Profile, *, connector_id: int, limits: Limits) -> None:
    """Check a profile for a connector (0: the whole station) of a station with these limits.

    :raises BadProfile:
    """
    purpose, kind = profile.purpose, profile.kind
    if purpose == "ChargePointMaxProfile" and connector_id:
        raise BadProfile("a ChargePointMaxProfile is for the whole station: connector 0")
    if purpose == "TxProfile" and not connector_id:
        raise BadProfile("a TxProfile is for one connector: above 0")
    if purpose != "TxProfile" and profile.transaction_ref is not None:
        raise BadProfile("only a TxProfile names a transaction")
    if (kind == "Recurring") != (profile.recurrency is not None):
        raise BadProfile("a Recurring profile has a recurrencyKind, and no other has")
    if purpose == "ChargePointMaxProfile" and kind == "Relative":
        raise BadProfile("a ChargePointMaxProfile cannot be Relative: there is no start of a session")
    level = profile.stack_level
    if not 0 <= level < 2**31 or not 0 <= profile.profile_id < 2**31:
        raise BadProfile("stack levels and profile ids are numbers from 0 to 2147483647")
    if limits.max_stack_level is not None and level > limits.max_stack_level:
        raise BadProfile(f"the station's highest stack level is {limits.max_stack_level}")
    begins, ends = _instant("valid from", profile.valid_from), _instant("valid to", profile.valid_to)
    if begins is not None and ends is not None and begins >= ends:
        raise BadProfile("validFrom is before validTo")
    _check_schedule(profile.schedule, kind, limits)


def check_remote_start_profile(profile: Profile, connector_id: int | None, limits: Limits) -> None:
    """Check the profile of a remote start at a station with these limits (OCPP 1.6 §5.11).

    :raises BadProfile:
    """
    if profile.purpose != "TxProfile":
        raise BadProfile("a remote start's profile is a TxProfile")
    if profile.transaction_ref is not None:
        raise BadProfile("a remote start's profile names no transaction: there is none yet")
    if connector_id is None:
        raise BadProfile("a remote start with a profile names its connector")
    check_profile(profile, connector_id=connector_id, limits=limits)


def _check_schedule(schedule: Schedule, kind: str, limits: Limits) -> None:
    if kind == "Relative" and schedule.starts_at is not None:
        raise BadProfile("a Relative schedule has no startSchedule")
    if kind != "Relative" and schedule.starts_at is None:
        raise BadProfile(f"an {kind} schedule needs a startSchedule")
    unit = schedule.unit
    if limits.units and unit not in limits.units:
        raise BadProfile(f"the station takes limits in {' or '.join(sorted(limits.units))}, not in {unit}")
    duration = schedule.duration_s
    if duration is not None and duration < 1:
        raise BadProfile("a duration is 1 s or more")
    periods = schedule.periods
    if not periods:
        raise BadProfile("a schedule needs a period")
    most = min(limits.max_periods or MAX_PERIODS, MAX_PERIODS)
    if len(periods) > most:
        raise BadProfile(f"a schedule has at most {most} periods")
    if periods[0].starts_s != 0:
        raise BadProfile("the first period starts at 0")
    if any(later.starts_s <= earlier.starts_s for earlier, later in pairwise(periods)):
        raise BadProfile("periods start one after the other")
    if duration is not None and periods[-1].starts_s >= duration:
        raise BadProfile("a period starts before the schedule's end")
    _check_rate("the lowest rate", schedule.min_rate or 0)
    for period in periods:
        _check_rate("limit", period.limit)
        if period.phases is not None and not 1 <= period.phases <= 3:
            raise BadProfile("a number of phases is 1 to 3")


def _check_rate(name: str, value: Any) -> None:
    """Limits have steps of 0.1 (OCPP 1.6 §7.14), exactly: 21.4 is one, 21.45 is none."""
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        raise BadProfile(f"{name}: {value!r} is no number") from None
    if not number.is_finite() or not 0 <= number <= MAX_RATE:
        raise BadProfile(f"{name} is from 0 to {MAX_RATE}")
    if number != number.quantize(Decimal("0.1")):
        raise BadProfile(f"{name} has steps of 0.1: {value} is none")


def _instant(name: str, text: str | None) -> datetime | None:
    if text is None:
        return None
    instant = read_instant(text)
    if instant is None:
        raise BadProfile(f"{name} is no time that can be kept: {text}")
    return instant


def read_instant(text: object) -> datetime | None:
    """Return the instant of an OCPP time in UTC, which it also is without an offset; None where it means none.

    The schema lets leap seconds pass, and times that are in the year 10000 elsewhere: nothing here can keep those.
    """
    if not isinstance(text, str):
        return None
    try:
        instant = datetime.fromisoformat(text.upper())
        return instant.astimezone(UTC) if instant.tzinfo is not None else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
