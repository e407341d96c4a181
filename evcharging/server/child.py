"""One server process as its supervisor sees it: started, heard, stopped."""

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import time

from django.conf import settings

from evcharging.server.parent import PREPARED, READY, STOP_S

logger = logging.getLogger(__name__)


class Child:
    """A `manage.py serve` of its own on the shared listening socket.

    A session of its own: Ctrl-C at a terminal is for the supervisor, which stops everything in order. `exec` and not
    a mere fork, since the supervisor has threads.

    :param listens_at_once: False opens the port only when the child is ready: others serve until then.
    """

    def __init__(self, listener: socket.socket, *, listens_at_once: bool) -> None:
        self.started_at = time.monotonic()
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)
        descriptors = listener.fileno(), theirs.fileno()
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "serve", "--skip-checks"]
        command += [f"--listen-fd={descriptors[0]}", f"--parent-fd={descriptors[1]}"]
        command += [] if listens_at_once else ["--listen-when-ready"]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=descriptors, start_new_session=True
            )
        except BaseException:
            self._ours.close()
            raise
        finally:
            theirs.close()
        self.pid = self.process.pid
        self._is_ready = asyncio.get_running_loop().create_future()
        #: Done when the process is gone; its result is the exit code, negative for a signal.
        self.ended = asyncio.create_task(self._listen())

    @property
    def serves(self) -> bool:
        """Whether it has become ready and lives."""
        return not self.ended.done() and self._is_ready.done() and self._is_ready.result()

    async def becomes_ready(self, timeout_s: float) -> bool:
        """Wait until it is ready; False if it ended before, or the time is over."""
        await asyncio.wait([self._is_ready], timeout=timeout_s)
        return self.serves

    def say_prepared(self) -> None:
        try:
            self._ours.send(PREPARED)
        except OSError:
            pass  # it has ended, and _listen() knows

    def terminate(self) -> None:
        """Ask it to drain; a second time, to hurry."""
        self.process.send_signal(signal.SIGTERM)

    async def stop(self) -> None:
        """Drain it, and return when it is gone."""
        self.terminate()
        done, _ = await asyncio.wait([self.ended], timeout=STOP_S)
        if not done:
            logger.error("process %d does not stop and is killed", self.pid)
            self.process.kill()
            await self.ended

    async def _listen(self) -> int:
        loop = asyncio.get_running_loop()
        try:
            while word := await loop.sock_recv(self._ours, 1):
                if word == READY and not self._is_ready.done():
                    self._is_ready.set_result(True)
        except ConnectionResetError:
            pass
        finally:
            self._ours.close()
        code = await asyncio.to_thread(self.process.wait)
        if not self._is_ready.done():
            self._is_ready.set_result(False)
        return code
