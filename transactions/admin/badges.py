"""Badges of transactions, unmatched messages, reservations and charging profiles."""

from collections.abc import Iterable

from django.utils.safestring import SafeString

from evcharging.back_office.display import BAD, GOOD, NEWS, NOTHING, PLAIN, UNSURE, badge, joined, kw, percent
from transactions.models import (
    ChargingProfile,
    Closing,
    EstimateCause,
    Mark,
    OrphanState,
    ProfileStatus,
    Reservation,
    ReservationStatus,
    Transaction,
)

CLOSING_KINDS = {Closing.OPEN: NEWS, Closing.ESTIMATED: UNSURE, Closing.REPORTED: GOOD}
ORPHAN_KINDS = {OrphanState.WAITING: UNSURE, OrphanState.ADOPTED: GOOD, OrphanState.DISMISSED: PLAIN}
RESERVATION_KINDS = {
    ReservationStatus.REQUESTED: NEWS,
    ReservationStatus.ACTIVE: GOOD,
    ReservationStatus.REFUSED: BAD,
    ReservationStatus.USED: GOOD,
}
PROFILE_KINDS = {
    ProfileStatus.REQUESTED: NEWS,
    ProfileStatus.ACTIVE: GOOD,
    ProfileStatus.REFUSED: BAD,
}
SHORT_MARKS = {
    Mark.CLOCK_UNSET: "clock unset",
    Mark.FUTURE_TIME: "future time",
    Mark.METER_REGRESSION: "meter back",
    Mark.METER_GAP: "meter gap",
    Mark.OVERLAP: "overlap",
    Mark.SUPERSEDED: "superseded",
    Mark.ORPHAN_STOP: "orphan stop",
    Mark.MISSING_STOP: "no stop",
    Mark.REFUSED_TAG: "tag refused",
    Mark.NOT_ACCEPTED: "not accepted",
}


def closing_badge(row: Transaction) -> SafeString:
    """Return whether the transaction is open, or its end estimated or reported, as a badge."""
    closing = Closing(row.closing)
    title = EstimateCause(row.estimate_cause).label if row.estimate_cause else ""
    return badge(closing.label, CLOSING_KINDS[closing], title)


def mark_badges(marks: Iterable[str]) -> SafeString:
    """Return the marks as badges, with their full text as tooltips."""
    known = [Mark(mark) for mark in marks]
    if not known:
        return NOTHING
    return joined(badge(SHORT_MARKS[mark], UNSURE, mark.label) for mark in known)


def running_values(row: Transaction) -> str:
    """Return power and state of charge of an open transaction."""
    if not row.is_open:
        return ""
    values = [kw(row.power_w)] if row.power_w is not None else []
    values += [percent(row.soc_percent)] if row.soc_percent is not None else []
    return " · ".join(values)


def reservation_badge(row: Reservation) -> SafeString:
    """Return the state of a reservation, with the station's answer where it refused."""
    text = row.get_status_display() + (f": {row.result_status}" if row.status == ReservationStatus.REFUSED else "")
    return badge(text, RESERVATION_KINDS.get(ReservationStatus(row.status), PLAIN))


def profile_badge(row: ChargingProfile) -> SafeString:
    """Return the state of a charging profile, with the station's answer where it refused."""
    text = row.get_status_display() + (f": {row.result_status}" if row.status == ProfileStatus.REFUSED else "")
    return badge(text, PROFILE_KINDS.get(ProfileStatus(row.status), PLAIN))
