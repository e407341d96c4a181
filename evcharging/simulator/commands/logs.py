"""GetDiagnostics and GetLog: nothing is uploaded, but everything is reported."""

import asyncio
from collections.abc import Callable
from typing import Any

from ocpp.routing import on
from ocpp.v16 import call, call_result
from ocpp.v16.enums import Action, DiagnosticsStatus, LogStatus, UploadLogStatus

from evcharging.simulator.commands.handlers import CommandHandlers
from evcharging.simulator.file_transfer import STEP_S, is_transferable
from evcharging.simulator.times import now


class LogHandlers(CommandHandlers):
    """One upload at a time; a newer order takes the place of one that is still under way."""

    @on(Action.get_diagnostics)
    def get_diagnostics(self, location: str, **_: Any) -> call_result.GetDiagnostics:
        """OCPP 1.6 §5.9."""
        self.station.log_upload.cancel()
        status = DiagnosticsStatus
        last = status.uploaded if is_transferable(location) else status.upload_failed
        self.after_answer(lambda: self._upload((status.uploading, last), call.DiagnosticsStatusNotification))
        return call_result.GetDiagnostics(self._file_name("diagnostics"))

    @on(Action.get_log)
    def get_log(self, log: dict[str, Any], log_type: str, request_id: int, **_: Any) -> call_result.GetLog:
        """Security white paper N01."""
        was_busy = self.station.log_upload.cancel()
        self.station.log_upload.request_id = request_id
        status = UploadLogStatus
        last = status.uploaded if is_transferable(log["remote_location"]) else status.upload_failure

        def notification(word: UploadLogStatus) -> call.LogStatusNotification:
            return call.LogStatusNotification(word, request_id)

        self.after_answer(lambda: self._upload((status.uploading, last), notification))
        answer = LogStatus.accepted_canceled if was_busy else LogStatus.accepted
        return call_result.GetLog(answer, self._file_name(log_type))

    def _file_name(self, kind: str) -> str:
        return f"{kind}-{self.station.identity}-{now():%Y%m%dT%H%M%SZ}.log"

    async def _upload(self, words: tuple[Any, ...], notification: Callable[[Any], Any]) -> None:
        self.station.log_upload.begin()
        for word in words:
            await self.station.online()
            await self.station.tell(notification(word))
            await asyncio.sleep(STEP_S)
