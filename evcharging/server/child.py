"""A server process on the side of its supervisor: started, waited for, stopped."""

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
    """A `manage.py serve` in a process group of its own, on the shared listening socket.

    In a session of its own, so that Ctrl-C at a terminal reaches only the supervisor, which stops all in order. Fork
    and exec, because the supervisor has threads.

    :param listens_at_once: False: accept connections only when ready, as others serve until then.
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
        #: Done when the process has ended; its result is the exit code, negative for a signal.
        self.ended = asyncio.create_task(self._read_until_end())

    @property
    def is_serving(self) -> bool:
        """Whether the process is ready and running."""
        return not self.ended.done() and self._is_ready.done() and self._is_ready.result()

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait until the process is ready; False if it ended first or the time-out passed."""
        await asyncio.wait([self._is_ready], timeout=timeout_s)
        return self.is_serving

    def send_prepared(self) -> None:
        try:
            self._ours.send(PREPARED)
        except OSError:
            pass  # it has ended, which _read_until_end() notices

    def terminate(self) -> None:
        """Send SIGTERM: the first one drains the process, a second one closes all sockets at once."""
        self.process.send_signal(signal.SIGTERM)

    async def stop(self) -> None:
        """Drain the process and return when it has ended."""
        self.terminate()
        done, _ = await asyncio.wait([self.ended], timeout=STOP_S)
        if not done:
            logger.error("process %d did not stop in %d s and is killed", self.pid, STOP_S)
            self.process.kill()
            await self.ended

    async def _read_until_end(self) -> int:
        loop = asyncio.get_running_loop()
        try:
            while message := await loop.sock_recv(self._ours, 1):
                if message == READY and not self._is_ready.done():
                    self._is_ready.set_result(True)
        except ConnectionResetError:
            pass
        finally:
            self._ours.close()
        code = await asyncio.to_thread(self.process.wait)
        if not self._is_ready.done():
            self._is_ready.set_result(False)
        return code
