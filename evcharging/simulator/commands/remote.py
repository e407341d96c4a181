"""RemoteStartTransaction and RemoteStopTransaction."""

from typing import Any

from ocpp.routing import on
from ocpp.v16 import call_result
from ocpp.v16.enums import Action, RemoteStartStopStatus

from evcharging.simulator.commands.handlers import CommandHandlers
from evcharging.simulator.meter import random_vehicle
from evcharging.simulator.session import Session
from evcharging.simulator.session_clock import SessionClock
from evcharging.simulator.times import now


class RemoteHandlers(CommandHandlers):
    """Sessions that the central system starts, which run in real time, and stops."""

    @on(Action.remote_start_transaction)
    def remote_start_transaction(
        self,
        id_tag: str,
        connector_id: int | None = None,
        charging_profile: dict[str, Any] | None = None,
        **_: Any,
    ) -> call_result.RemoteStartTransaction:
        """OCPP 1.6 §5.11: on the named connector or any free one; the profile must be a TxProfile without an id."""
        station = self.station
        free = station.free_connectors(id_tag)
        connector = next((c for c in free if connector_id in (None, c.number)), None)
        is_for_transaction = charging_profile is None or (
            charging_profile["charging_profile_purpose"] == "TxProfile" and "transaction_id" not in charging_profile
        )
        if not station.is_accepted or connector is None or not is_for_transaction:
            return call_result.RemoteStartTransaction(RemoteStartStopStatus.rejected)
        session = Session(
            station,
            connector,
            id_tag,
            clock=SessionClock(now(), 1.0),
            vehicle=random_vehicle(station.random, station.hardware),
            profile=charging_profile,
        )
        self.after_answer(session.run)
        return call_result.RemoteStartTransaction(RemoteStartStopStatus.accepted)

    @on(Action.remote_stop_transaction)
    def remote_stop_transaction(self, transaction_id: int, **_: Any) -> call_result.RemoteStopTransaction:
        """OCPP 1.6 §5.12."""
        session = next((s for s in self.station.sessions() if s.transaction_id == transaction_id), None)
        if session is None:
            return call_result.RemoteStopTransaction(RemoteStartStopStatus.rejected)
        session.stop("Remote")
        return call_result.RemoteStopTransaction(RemoteStartStopStatus.accepted)
