"""UpdateFirmware and SignedUpdateFirmware: nothing is downloaded, but everything is reported."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ocpp.routing import on
from ocpp.v16 import call, call_result
from ocpp.v16.enums import Action, FirmwareStatus, UpdateFirmwareStatus

from evcharging.simulator.certificates import read_certificate
from evcharging.simulator.commands.handlers import CommandHandlers
from evcharging.simulator.file_transfer import STEP_S, is_transferable
from evcharging.simulator.times import now, parse, text

Notification = Callable[[FirmwareStatus], Any]


class FirmwareHandlers(CommandHandlers):
    """One update at a time; a location that is no URL of a known scheme cannot be downloaded from."""

    @on(Action.update_firmware)
    def update_firmware(self, location: str, retrieve_date: str, **_: Any) -> call_result.UpdateFirmware:
        """OCPP 1.6 §5.19: a newer order takes the place of one that is still under way."""
        self.station.firmware_update.cancel()
        self.after_answer(lambda: self._update(location, retrieve_date, None, call.FirmwareStatusNotification))
        return call_result.UpdateFirmware()

    @on(Action.signed_update_firmware)
    def signed_update_firmware(
        self, request_id: int, firmware: dict[str, Any], **_: Any
    ) -> call_result.SignedUpdateFirmware:
        """Security white paper L01."""
        if read_certificate(firmware["signing_certificate"]) is None:
            return call_result.SignedUpdateFirmware(UpdateFirmwareStatus.invalid_certificate)

        def notification(status: FirmwareStatus) -> call.SignedFirmwareStatusNotification:
            return call.SignedFirmwareStatusNotification(status, request_id)

        was_busy = self.station.firmware_update.cancel()
        self.station.firmware_update.request_id = request_id
        retrieve_at, signature = firmware["retrieve_date_time"], firmware.get("signature", "")
        self.after_answer(lambda: self._update(firmware["location"], retrieve_at, signature, notification))
        return call_result.SignedUpdateFirmware(
            UpdateFirmwareStatus.accepted_canceled if was_busy else UpdateFirmwareStatus.accepted
        )

    async def _update(self, location: str, at: str, signature: str | None, notification: Notification) -> None:
        self.station.firmware_update.begin()
        try:
            await self._install(location, at, signature, notification)
        finally:
            self.station.firmware_status = FirmwareStatus.idle

    async def _install(self, location: str, at: str, signature: str | None, notification: Notification) -> None:
        """Report the update's progress; `signature` is None for one that is not signed."""
        station, is_signed = self.station, signature is not None

        async def report(status: FirmwareStatus) -> None:
            station.firmware_status = status
            await station.online()
            await station.tell(notification(status))
            await asyncio.sleep(STEP_S)

        wait_s = (parse(at) - now()).total_seconds()
        if wait_s > 0:
            if is_signed:
                await report(FirmwareStatus.download_scheduled)
            await asyncio.sleep(wait_s)
        await report(FirmwareStatus.downloading)
        if not is_transferable(location):
            await report(FirmwareStatus.download_failed)
            return
        await report(FirmwareStatus.downloaded)
        if signature is not None:
            if not _is_signature(signature):
                await report(FirmwareStatus.invalid_signature)
                await station.tell(call.SecurityEventNotification("InvalidFirmwareSignature", text(now()), location))
                return
            await report(FirmwareStatus.signature_verified)
        for session in station.sessions():
            await session.finished.wait()
        await report(FirmwareStatus.installing)
        if is_signed:
            await report(FirmwareStatus.install_rebooting)
        station.firmware_version = PurePosixPath(urlsplit(location).path).stem[:50] or "2.0.0"
        await station.reconnect(is_boot=True)
        await report(FirmwareStatus.installed)
        if is_signed:
            version = station.firmware_version
            await station.tell(call.SecurityEventNotification("FirmwareUpdated", text(now()), version))


def _is_signature(signature: str) -> bool:
    try:
        return bool(base64.b64decode(signature, validate=True))
    except binascii.Error:
        return False
