"""A charger for tests: raw text frames over a real WebSocket, so that what is sent is exactly what a test says."""

import base64
import itertools
import json
from typing import Any, Self

from websockets.sync.client import ClientConnection, connect

_numbers = itertools.count(1)
ANSWER_S = 20.0


class Charger:
    """One connection to the central system; `call` sends a CALL and returns its answer."""

    def __init__(
        self,
        url: str,
        identity: str,
        *,
        password: bytes | None = None,
        username: bytes | None = None,
        subprotocols: list[str] | None = None,
        timeout_s: float = ANSWER_S,
    ) -> None:
        headers = {}
        if password is not None:
            credentials = (username if username is not None else identity.encode()) + b":" + password
            headers["Authorization"] = "Basic " + base64.b64encode(credentials).decode()
        self.identity = identity
        self.timeout_s = timeout_s
        self.socket: ClientConnection = connect(
            url + identity,
            subprotocols=["ocpp1.6"] if subprotocols is None else subprotocols,  # type: ignore[arg-type]
            additional_headers=headers,
            compression=None,
            ping_interval=None,
            open_timeout=timeout_s,
            close_timeout=2,
            max_size=2**22,
            proxy=None,
            legacy=True,  # the connection itself, which close() ends
        )

    def send(self, text: str | bytes) -> None:
        """Send one frame: text, or binary for bytes."""
        self.socket.send(text)

    def receive(self, timeout_s: float | None = None) -> Any:
        """Return the next frame, parsed.

        :raises TimeoutError: there is none in time. :raises ConnectionClosed: the server closed.
        """
        return json.loads(self.socket.recv(timeout=timeout_s or self.timeout_s))

    def exchange(self, text: str) -> Any:
        """Send raw text and return the next frame."""
        self.send(text)
        return self.receive()

    def call(self, action: str, payload: Any, unique_id: str | None = None) -> Any:
        """Send a CALL and return the whole answer frame, `[3, id, payload]` or `[4, …]`."""
        unique_id = unique_id or f"m{next(_numbers)}"
        self.send(json.dumps([2, unique_id, action, payload]))
        answer = self.receive()
        assert answer[1] == unique_id, f"expected the answer to {unique_id}, got {answer}"
        return answer

    def result(self, action: str, payload: Any, unique_id: str | None = None) -> Any:
        """Send a CALL and return the payload of its CALLRESULT."""
        answer = self.call(action, payload, unique_id)
        assert answer[0] == 3, answer
        return answer[2]

    def boot(self) -> Any:
        """Send a BootNotification and return its answer's payload."""
        return self.result("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"})

    def close(self) -> None:
        self.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
