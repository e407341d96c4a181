"""TriggerMessage and ExtendedTriggerMessage: the message asked for is sent after the answer."""

from typing import Any

from ocpp.routing import on
from ocpp.v16 import call, call_result
from ocpp.v16.enums import (
    Action,
    DiagnosticsStatus,
    FirmwareStatus,
    TriggerMessageStatus,
    UploadLogStatus,
)

from evcharging.simulator.commands.handlers import CommandHandlers, FollowUp
from evcharging.simulator.connection import NotAccepted


class TriggerHandlers(CommandHandlers):
    """Messages on demand."""

    @on(Action.trigger_message)
    def trigger_message(
        self, requested_message: str, connector_id: int | None = None, **_: Any
    ) -> call_result.TriggerMessage:
        """OCPP 1.6 §5.17."""
        return call_result.TriggerMessage(self._trigger(requested_message, connector_id, is_extended=False))

    @on(Action.extended_trigger_message)
    def extended_trigger_message(
        self, requested_message: str, connector_id: int | None = None, **_: Any
    ) -> call_result.ExtendedTriggerMessage:
        """Security white paper; a FirmwareStatusNotification is then the signed update's."""
        return call_result.ExtendedTriggerMessage(self._trigger(requested_message, connector_id, is_extended=True))

    def _trigger(self, message: str, connector_id: int | None, *, is_extended: bool) -> TriggerMessageStatus:
        if connector_id is not None and connector_id != 0 and connector_id not in self.station.connectors:
            return TriggerMessageStatus.rejected
        connector_ids = [0, *self.station.connectors] if connector_id is None else [connector_id]
        works: dict[str, FollowUp] = {
            "BootNotification": self._boot,
            "DiagnosticsStatusNotification": self._diagnostics_status,
            "FirmwareStatusNotification": self._signed_firmware_status if is_extended else self._firmware_status,
            "Heartbeat": lambda: self._tell(call.Heartbeat()),
            "LogStatusNotification": self._log_status,
            "MeterValues": lambda: self._meter_values(connector_ids),
            "SignChargePointCertificate": self._sign_certificate,
            "StatusNotification": lambda: self._statuses(connector_ids),
        }
        if message not in works:
            return TriggerMessageStatus.not_implemented
        self.after_answer(works[message])
        return TriggerMessageStatus.accepted

    async def _tell(self, payload: Any) -> None:
        """Send also while the station is not accepted: then this is all that it may send (OCPP 1.6 §4.2)."""
        await self.station.attempt(self.connection.send_call(payload))

    async def _boot(self) -> None:
        try:
            await self.station.attempt(self.connection.boot())
        except NotAccepted:
            pass

    async def _statuses(self, connector_ids: list[int]) -> None:
        for connector_id in connector_ids:
            await self._tell(self.station.status_of(connector_id))

    async def _meter_values(self, connector_ids: list[int]) -> None:
        for connector_id in connector_ids:
            reading = self.station.reading_of(connector_id, "MeterValuesSampledData", "Trigger")
            if reading is not None:
                await self._tell(reading)

    async def _diagnostics_status(self) -> None:
        is_busy = self.station.log_upload.is_running
        word = DiagnosticsStatus.uploading if is_busy else DiagnosticsStatus.idle
        await self._tell(call.DiagnosticsStatusNotification(word))

    async def _log_status(self) -> None:
        is_busy = self.station.log_upload.is_running
        word = UploadLogStatus.uploading if is_busy else UploadLogStatus.idle
        # Without an order there is no id, which the schema allows and the package's type does not.
        request_id: Any = self.station.log_upload.request_id if is_busy else None
        await self._tell(call.LogStatusNotification(word, request_id))

    async def _firmware_status(self) -> None:
        await self._tell(call.FirmwareStatusNotification(self.station.firmware_status))

    async def _signed_firmware_status(self) -> None:
        station = self.station
        request_id: Any = (
            None if station.firmware_status == FirmwareStatus.idle else station.firmware_update.request_id
        )
        await self._tell(call.SignedFirmwareStatusNotification(station.firmware_status, request_id))

    async def _sign_certificate(self) -> None:
        await self._tell(call.SignCertificate(self.station.certificates.signing_request()))
