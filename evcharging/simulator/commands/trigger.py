"""TriggerMessage and ExtendedTriggerMessage: the requested message is sent after the answer."""

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
    """Messages that the central system requests."""

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
        """Security white paper; FirmwareStatusNotification then means SignedFirmwareStatusNotification."""
        return call_result.ExtendedTriggerMessage(self._trigger(requested_message, connector_id, is_extended=True))

    def _trigger(self, message: str, connector_id: int | None, *, is_extended: bool) -> TriggerMessageStatus:
        if connector_id is not None and connector_id != 0 and connector_id not in self.station.connectors:
            return TriggerMessageStatus.rejected
        connector_ids = [0, *self.station.connectors] if connector_id is None else [connector_id]
        follow_ups: dict[str, FollowUp] = {
            "BootNotification": self._send_boot,
            "DiagnosticsStatusNotification": self._send_diagnostics_status,
            "FirmwareStatusNotification": self._send_signed_firmware_status
            if is_extended
            else self._send_firmware_status,
            "Heartbeat": lambda: self._send(call.Heartbeat()),
            "LogStatusNotification": self._send_log_status,
            "MeterValues": lambda: self._send_meter_values(connector_ids),
            "SignChargePointCertificate": self._send_sign_certificate,
            "StatusNotification": lambda: self._send_statuses(connector_ids),
        }
        if message not in follow_ups:
            return TriggerMessageStatus.not_implemented
        self.after_answer(follow_ups[message])
        return TriggerMessageStatus.accepted

    async def _send(self, payload: Any) -> None:
        """Send a CALL even while the station is not accepted, as a triggered message may be (OCPP 1.6 §4.2)."""
        await self.station.attempt(self.connection.send_call(payload))

    async def _send_boot(self) -> None:
        try:
            await self.station.attempt(self.connection.boot())
        except NotAccepted:
            pass

    async def _send_statuses(self, connector_ids: list[int]) -> None:
        for connector_id in connector_ids:
            await self._send(self.station.status_notification(connector_id))

    async def _send_meter_values(self, connector_ids: list[int]) -> None:
        for connector_id in connector_ids:
            meter_values = self.station.meter_values(connector_id, "MeterValuesSampledData", "Trigger")
            if meter_values is not None:
                await self._send(meter_values)

    async def _send_diagnostics_status(self) -> None:
        is_busy = self.station.log_upload.is_running
        status = DiagnosticsStatus.uploading if is_busy else DiagnosticsStatus.idle
        await self._send(call.DiagnosticsStatusNotification(status))

    async def _send_log_status(self) -> None:
        is_busy = self.station.log_upload.is_running
        status = UploadLogStatus.uploading if is_busy else UploadLogStatus.idle
        # The schema allows a missing request id, the package's type does not.
        request_id: Any = self.station.log_upload.request_id if is_busy else None
        await self._send(call.LogStatusNotification(status, request_id))

    async def _send_firmware_status(self) -> None:
        await self._send(call.FirmwareStatusNotification(self.station.firmware_status))

    async def _send_signed_firmware_status(self) -> None:
        station = self.station
        request_id: Any = (
            None if station.firmware_status == FirmwareStatus.idle else station.firmware_update.request_id
        )
        await self._send(call.SignedFirmwareStatusNotification(station.firmware_status, request_id))

    async def _send_sign_certificate(self) -> None:
        await self._send(call.SignCertificate(self.station.certificates.signing_request()))
