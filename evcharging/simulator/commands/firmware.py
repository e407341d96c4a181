"""UpdateFirmware and SignedUpdateFirmware: no file is downloaded, only the progress is reported."""

import asyncio
import base64
import binascii
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from ocpp.routing import on
from ocpp.v16 import call, call_result
from ocpp.v16.enums import Action, FirmwareStatus, UpdateFirmwareStatus

from evcharging.simulator.certificates import read_certificate
from evcharging.simulator.commands.handlers import CommandHandlers
from evcharging.simulator.file_transfer import STEP_S, is_transferable
from evcharging.simulator.times import format_time, now, parse_time


class Update(NamedTuple):
    """An ordered firmware update; `signature` is None for one that is unsigned."""

    location: str
    retrieve_at: str
    signature: str | None
    notification: Callable[[FirmwareStatus], Any]

    @property
    def is_signed(self) -> bool:
        return self.signature is not None


class FirmwareHandlers(CommandHandlers):
    """One firmware update at a time; a location that is not transferable fails with DownloadFailed."""

    @on(Action.update_firmware)
    def update_firmware(self, location: str, retrieve_date: str, **_: Any) -> call_result.UpdateFirmware:
        """OCPP 1.6 §5.19; cancels the update in progress."""
        self.station.firmware_update.cancel()
        update = Update(location, retrieve_date, None, call.FirmwareStatusNotification)
        self.after_answer(lambda: self._run(update))
        return call_result.UpdateFirmware()

    @on(Action.signed_update_firmware)
    def signed_update_firmware(
        self, request_id: int, firmware: dict[str, Any], **_: Any
    ) -> call_result.SignedUpdateFirmware:
        """Security white paper L01; cancels the update in progress."""
        if read_certificate(firmware["signing_certificate"]) is None:
            return call_result.SignedUpdateFirmware(UpdateFirmwareStatus.invalid_certificate)

        def notification(status: FirmwareStatus) -> call.SignedFirmwareStatusNotification:
            return call.SignedFirmwareStatusNotification(status, request_id)

        was_busy = self.station.firmware_update.cancel()
        self.station.firmware_update.request_id = request_id
        signature = firmware.get("signature", "")
        update = Update(firmware["location"], firmware["retrieve_date_time"], signature, notification)
        self.after_answer(lambda: self._run(update))
        return call_result.SignedUpdateFirmware(
            UpdateFirmwareStatus.accepted_canceled if was_busy else UpdateFirmwareStatus.accepted
        )

    async def _run(self, update: Update) -> None:
        self.station.firmware_update.begin()
        try:
            if await self._download(update):
                await self._install(update)
        finally:
            self.station.firmware_status = FirmwareStatus.idle

    async def _download(self, update: Update) -> bool:
        """Report the download and the check of the signature; return whether the firmware may be installed."""
        wait_s = (parse_time(update.retrieve_at) - now()).total_seconds()
        if wait_s > 0:
            if update.is_signed:
                await self._report(update, FirmwareStatus.download_scheduled)
            await asyncio.sleep(wait_s)
        await self._report(update, FirmwareStatus.downloading)
        if not is_transferable(update.location):
            await self._report(update, FirmwareStatus.download_failed)
            return False
        await self._report(update, FirmwareStatus.downloaded)
        if update.signature is not None:
            if not _is_signature(update.signature):
                await self._report(update, FirmwareStatus.invalid_signature)
                await self._send_security_event("InvalidFirmwareSignature", update.location)
                return False
            await self._report(update, FirmwareStatus.signature_verified)
        return True

    async def _install(self, update: Update) -> None:
        """Wait for the sessions to end, reboot with the new version, and report it."""
        station = self.station
        for session in station.sessions():
            await session.finished.wait()
        await self._report(update, FirmwareStatus.installing)
        if update.is_signed:
            await self._report(update, FirmwareStatus.install_rebooting)
        station.firmware_version = PurePosixPath(urlsplit(update.location).path).stem[:50] or "2.0.0"
        await station.reconnect(is_boot=True)
        await self._report(update, FirmwareStatus.installed)
        if update.is_signed:
            await self._send_security_event("FirmwareUpdated", station.firmware_version)

    async def _report(self, update: Update, status: FirmwareStatus) -> None:
        self.station.firmware_status = status
        await self.station.wait_online()
        await self.station.send(update.notification(status))
        await asyncio.sleep(STEP_S)

    async def _send_security_event(self, event: str, tech_info: str) -> None:
        await self.station.send(call.SecurityEventNotification(event, format_time(now()), tech_info))


def _is_signature(signature: str) -> bool:
    try:
        return bool(base64.b64decode(signature, validate=True))
    except binascii.Error:
        return False
