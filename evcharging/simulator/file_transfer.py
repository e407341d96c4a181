"""File transfers that the central system orders: a firmware download, an upload of logs or diagnostics."""

import asyncio
from typing import Any
from urllib.parse import urlsplit

STEP_S = 0.2
"""Pause after each progress notification."""

_SCHEMES = ("ftp", "ftps", "sftp", "http", "https")


class FileTransfer:
    """One kind of transfer of a station; a newer order cancels the transfer in progress.

    No file is moved, only the progress is reported. `request_id` is that of the latest order which had one.
    """

    def __init__(self) -> None:
        self.request_id = 0
        self._task: asyncio.Task[Any] | None = None

    @property
    def is_running(self) -> bool:
        return self._task is not None and not self._task.done()

    def begin(self) -> None:
        """Make the current task the transfer in progress."""
        self._task = asyncio.current_task()

    def cancel(self) -> bool:
        """Cancel the transfer in progress; return whether there was one."""
        if self._task is None or self._task.done():
            return False
        self._task.cancel()
        return True


def is_transferable(location: str) -> bool:
    """Return whether a location is a URL of a scheme that charge points transfer files with."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return False
    return parts.scheme in _SCHEMES and bool(parts.netloc)
