"""SetChargingProfile, ClearChargingProfile and GetCompositeSchedule."""

from typing import Any

from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action, ChargingProfileStatus, ClearChargingProfileStatus, GetCompositeScheduleStatus

from evcharging.simulator.commands.handlers import CommandHandlers
from evcharging.simulator.times import format_time, now


class SmartChargingHandlers(CommandHandlers):
    """Charging profiles; a session in progress applies a change from its next sample on."""

    @on(Action.set_charging_profile)
    def set_charging_profile(
        self, connector_id: int, cs_charging_profiles: dict[str, Any], **_: Any
    ) -> call_result.SetChargingProfile:
        connector = self.station.connectors.get(connector_id)
        session = connector.session if connector else None
        transaction_id = session.transaction_id if session else None
        status = self.station.profiles.install(connector_id, cs_charging_profiles, transaction_id)
        return call_result.SetChargingProfile(ChargingProfileStatus(status))

    @on(Action.clear_charging_profile)
    def clear_charging_profile(
        self,
        id: int | None = None,
        connector_id: int | None = None,
        charging_profile_purpose: str | None = None,
        stack_level: int | None = None,
        **_: Any,
    ) -> call_result.ClearChargingProfile:
        status = self.station.profiles.clear(id, connector_id, charging_profile_purpose, stack_level)
        return call_result.ClearChargingProfile(ClearChargingProfileStatus(status))

    @on(Action.get_composite_schedule)
    def get_composite_schedule(
        self, connector_id: int, duration: int, charging_rate_unit: str = "W", **_: Any
    ) -> call_result.GetCompositeSchedule:
        """OCPP 1.6 §5.7; during a session the schedule begins at the session clock's time."""
        station = self.station
        if connector_id and connector_id not in station.connectors:
            return call_result.GetCompositeSchedule(GetCompositeScheduleStatus.rejected)
        connector = station.connectors.get(connector_id)
        session = connector.session if connector else None
        begin = session.clock.now if session else now()
        began_at = session.began_at if session else begin
        schedule = station.profiles.composite(connector_id, begin, duration, charging_rate_unit, began_at)
        return call_result.GetCompositeSchedule(
            GetCompositeScheduleStatus.accepted, connector_id, format_time(begin), schedule
        )
