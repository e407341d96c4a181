"""GetDiagnostics and GetLog: no file is uploaded, only the progress is reported."""

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
    """One upload at a time, of diagnostics or a log."""

    @on(Action.get_diagnostics)
    def get_diagnostics(self, location: str, **_: Any) -> call_result.GetDiagnostics:
        """OCPP 1.6 §5.9; cancels the upload in progress."""
        self.station.log_upload.cancel()
        is_possible = is_transferable(location)
        last = DiagnosticsStatus.uploaded if is_possible else DiagnosticsStatus.upload_failed
        self.after_answer(
            lambda: self._upload((DiagnosticsStatus.uploading, last), call.DiagnosticsStatusNotification)
        )
        return call_result.GetDiagnostics(self._file_name("diagnostics"))

    @on(Action.get_log)
    def get_log(self, log: dict[str, Any], log_type: str, request_id: int, **_: Any) -> call_result.GetLog:
        """Security white paper N01; cancels the upload in progress."""
        was_busy = self.station.log_upload.cancel()
        self.station.log_upload.request_id = request_id
        is_possible = is_transferable(log["remote_location"])
        last = UploadLogStatus.uploaded if is_possible else UploadLogStatus.upload_failure

        def notification(status: UploadLogStatus) -> call.LogStatusNotification:
            return call.LogStatusNotification(status, request_id)

        self.after_answer(lambda: self._upload((UploadLogStatus.uploading, last), notification))
        answer = LogStatus.accepted_canceled if was_busy else LogStatus.accepted
        return call_result.GetLog(answer, self._file_name(log_type))

    def _file_name(self, kind: str) -> str:
        return f"{kind}-{self.station.identity}-{now():%Y%m%dT%H%M%SZ}.log"

    async def _upload(self, statuses: tuple[Any, ...], notification: Callable[[Any], Any]) -> None:
        self.station.log_upload.begin()
        for status in statuses:
            await self.station.wait_online()
            await self.station.send(notification(status))
            await asyncio.sleep(STEP_S)
