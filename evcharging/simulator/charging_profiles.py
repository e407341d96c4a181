"""Installed charging profiles, the limit they set at an instant, and their composite schedule (OCPP 1.6 §3.13)."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from evcharging.simulator.hardware import Hardware
from evcharging.simulator.times import parse_time

MAX_STACK_LEVEL, MAX_PERIODS, MAX_PROFILES = 8, 24, 20
_CYCLE_S = {"Daily": 86_400.0, "Weekly": 604_800.0}


class Period(NamedTuple):
    """A limit in watts, from an offset in seconds into the schedule."""

    start_s: float
    limit_w: float


@dataclass(frozen=True)
class ChargingProfile:
    """One installed charging profile (OCPP 1.6 §7.8), its limits in watts."""

    profile_id: int
    connector_id: int
    transaction_id: int | None
    stack_level: int
    purpose: str
    kind: str
    cycle_s: float
    valid_from: datetime | None
    valid_to: datetime | None
    starts_at: datetime | None
    duration_s: float
    periods: tuple[Period, ...]

    def limit_w(self, at: datetime, session_began_at: datetime) -> float | None:
        """Return the limit at an instant, None where the profile sets none."""
        if (self.valid_from and at < self.valid_from) or (self.valid_to and at >= self.valid_to):
            return None
        offset_s = (at - self._start(at, session_began_at)).total_seconds()
        if not 0 <= offset_s < self.duration_s:
            return None
        return next((period.limit_w for period in reversed(self.periods) if period.start_s <= offset_s), None)

    def change_times(self, begin: datetime, end: datetime, session_began_at: datetime) -> Iterator[datetime]:
        """Yield the instants at which the limit may change between `begin` and `end`, and some outside of them."""
        yield from (at for at in (self.valid_from, self.valid_to) if at)
        start = self._start(begin, session_began_at)
        while start < end:
            yield from (start + timedelta(seconds=period.start_s) for period in self.periods)
            if self.duration_s < math.inf:
                yield start + timedelta(seconds=self.duration_s)
            if not self.cycle_s:
                return
            start += timedelta(seconds=self.cycle_s)

    def _start(self, at: datetime, session_began_at: datetime) -> datetime:
        start = self.starts_at if self.kind != "Relative" and self.starts_at else session_began_at
        if self.cycle_s:
            start += timedelta(seconds=self.cycle_s * math.floor((at - start).total_seconds() / self.cycle_s))
        return start


class ChargingProfiles:
    """All charging profiles of one charge point."""

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._installed: list[ChargingProfile] = []

    def install(self, connector_id: int, given: dict[str, Any], transaction_id: int | None) -> str:
        """Apply a SetChargingProfile (OCPP 1.6 §5.16) and return its status.

        :param transaction_id: the transaction running on the connector, None if there is none.
        """
        purpose, of_transaction = given["charging_profile_purpose"], given.get("transaction_id")
        is_allowed = {
            "ChargePointMaxProfile": connector_id == 0,
            "TxDefaultProfile": True,
            "TxProfile": connector_id > 0 and transaction_id is not None and of_transaction in (None, transaction_id),
        }
        periods = given["charging_schedule"]["charging_schedule_period"]
        if (
            not is_allowed[purpose]
            or not 0 <= connector_id <= self._hardware.connectors
            or given["stack_level"] > MAX_STACK_LEVEL
            or not 0 < len(periods) <= MAX_PERIODS
        ):
            return "Rejected"
        profile = self._parse(connector_id, given, transaction_id)
        others = [other for other in self._installed if not _replaces(profile, other)]
        if len(others) >= MAX_PROFILES:
            return "Rejected"
        self._installed = [*others, profile]
        return "Accepted"

    def clear(self, profile_id: int | None, connector_id: int | None, purpose: str | None, level: int | None) -> str:
        """Apply a ClearChargingProfile (OCPP 1.6 §5.5): an id alone decides, else every criterion given must match."""

        def matches(profile: ChargingProfile) -> bool:
            if profile_id is not None:
                return profile.profile_id == profile_id
            return (
                connector_id in (None, profile.connector_id)
                and purpose in (None, profile.purpose)
                and level in (None, profile.stack_level)
            )

        kept = [profile for profile in self._installed if not matches(profile)]
        found = len(kept) < len(self._installed)
        self._installed = kept
        return "Accepted" if found else "Unknown"

    def remove_transaction(self, transaction_id: int) -> None:
        """Remove the TxProfiles of a transaction."""
        self._installed = [profile for profile in self._installed if profile.transaction_id != transaction_id]

    def limit_w(self, connector_id: int, at: datetime, session_began_at: datetime) -> float:
        """Return the lowest limit of all purposes; within one, the highest stack level applies (OCPP 1.6 §3.13)."""
        of_connector = (
            self._limit_of_purpose("TxProfile", connector_id, at, session_began_at),
            self._limit_of_purpose("TxDefaultProfile", connector_id, at, session_began_at),
            self._limit_of_purpose("TxDefaultProfile", 0, at, session_began_at),
        )
        limits = [
            self._limit_of_purpose("ChargePointMaxProfile", 0, at, session_began_at),
            next((limit for limit in of_connector if limit is not None), None) if connector_id else None,
        ]
        return min((limit for limit in limits if limit is not None), default=self._hardware.max_power_w)

    def composite(
        self, connector_id: int, begin: datetime, duration_s: int, unit: str, session_began_at: datetime
    ) -> dict[str, Any]:
        """Return the charging schedule of a GetCompositeSchedule (OCPP 1.6 §5.7)."""
        end = begin + timedelta(seconds=duration_s)
        instants = {begin}
        for profile in self._installed:
            instants |= {at for at in profile.change_times(begin, end, session_began_at) if begin < at < end}
        per_unit = self._hardware.watts_per_ampere if unit == "A" else 1.0
        periods: list[dict[str, Any]] = []
        for at in sorted(instants):
            allowed_w = min(self.limit_w(connector_id, at, session_began_at), self._hardware.max_power_w)
            limit = round(allowed_w / per_unit, 1)
            if not periods or periods[-1]["limit"] != limit:
                periods.append({"start_period": int((at - begin).total_seconds()), "limit": limit})
        return {"duration": duration_s, "charging_rate_unit": unit, "charging_schedule_period": periods}

    def _limit_of_purpose(
        self, purpose: str, connector_id: int, at: datetime, session_began_at: datetime
    ) -> float | None:
        candidates = [p for p in self._installed if p.purpose == purpose and p.connector_id == connector_id]
        for profile in sorted(candidates, key=lambda profile: -profile.stack_level):
            limit = profile.limit_w(at, session_began_at)
            if limit is not None:
                return limit
        return None

    def _parse(self, connector_id: int, given: dict[str, Any], transaction_id: int | None) -> ChargingProfile:
        schedule = given["charging_schedule"]
        return ChargingProfile(
            profile_id=given["charging_profile_id"],
            connector_id=connector_id,
            transaction_id=transaction_id if given["charging_profile_purpose"] == "TxProfile" else None,
            stack_level=given["stack_level"],
            purpose=given["charging_profile_purpose"],
            kind=given["charging_profile_kind"],
            cycle_s=_CYCLE_S[given.get("recurrency_kind", "Daily")]
            if given["charging_profile_kind"] == "Recurring"
            else 0.0,
            valid_from=_time(given, "valid_from"),
            valid_to=_time(given, "valid_to"),
            starts_at=_time(schedule, "start_schedule"),
            duration_s=float(schedule.get("duration", math.inf)),
            periods=tuple(self._periods(schedule["charging_schedule_period"], schedule["charging_rate_unit"])),
        )

    def _periods(self, given: Iterable[dict[str, Any]], unit: str) -> Iterator[Period]:
        for period in sorted(given, key=lambda period: period["start_period"]):
            phases = period.get("number_phases", 3)
            per_unit = self._hardware.watts_per_ampere * phases / 3 if unit == "A" else 1.0
            yield Period(float(period["start_period"]), float(period["limit"]) * per_unit)


def _replaces(new: ChargingProfile, old: ChargingProfile) -> bool:
    return new.profile_id == old.profile_id or (new.connector_id, new.purpose, new.stack_level) == (
        old.connector_id, old.purpose, old.stack_level,
    )  # fmt: skip


def _time(given: dict[str, Any], name: str) -> datetime | None:
    return parse_time(given[name]) if given.get(name) else None
