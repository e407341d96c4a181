"""A charger that keeps its transaction messages in a queue until each is answered (OCPP 1.6 §3.7.1)."""

import asyncio
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidMessage

PATIENCE_S = 60.0
"""How long one message may be resent before the test has failed."""

LOST = (ConnectionClosed, InvalidHandshake, InvalidMessage, OSError, TimeoutError, EOFError)


class Refused(Exception):
    """A CALLERROR: a real charger would throw the message away, and with it the bill."""


@dataclass
class Session:
    """One charging session as the charger saw it, with the transaction id it was answered."""

    identity: str
    connector_id: int
    id_tag: str
    meter_start: int
    started_at: datetime
    meter_stop: int
    stopped_at: datetime
    samples: list[tuple[datetime, int]]
    transaction_id: int = 0
    status: str = ""
    answered_samples: int = 0
    is_stopped: bool = False


class Link:
    """One WebSocket; every frame is text that the caller wrote."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    @classmethod
    async def open(cls, url: str, identity: str, *, timeout_s: float = 10.0) -> "Link":
        """Connect.

        :raises OSError: :raises InvalidHandshake: :raises TimeoutError:
        """
        return cls(
            await connect(
                url + identity,
                subprotocols=["ocpp1.6"],  # type: ignore[list-item]
                compression=None,
                ping_interval=None,
                open_timeout=timeout_s,
                close_timeout=1,
                proxy=None,
            )
        )

    async def send(self, frame: str) -> None:
        await self.socket.send(frame)

    async def receive(self, timeout_s: float) -> Any:
        """Return the next answer; a command of the server's is answered in between: this charger knows none."""
        async with asyncio.timeout(timeout_s):
            while True:
                frame = json.loads(await self.socket.recv())
                if frame[0] != 2:
                    return frame
                await self.send(json.dumps([4, frame[1], "NotSupported", "", {}]))

    async def call(self, unique_id: str, action: str, payload: Any, timeout_s: float = 10.0) -> Any:
        """Return the payload of the CALLRESULT.

        :raises Refused: it was a CALLERROR.
        """
        await self.send(json.dumps([2, unique_id, action, payload]))
        return result_of(await self.receive(timeout_s), unique_id)

    async def close(self) -> None:
        await self.socket.close()

    def abort(self) -> None:
        """Drop the TCP connection without a word, as a power cut does."""
        self.socket.transport.abort()

    async def closed_by_server(self, timeout_s: float) -> int:
        """Wait until the server closes, throwing away what it still sends; return the close code."""
        async with asyncio.timeout(timeout_s):
            async for _ in self.socket:
                pass
        return self.socket.close_code or 1006


class RetryingCharger:
    """A charger with several URLs of the same central system; it goes on to the next one whenever a connection fails.

    The chances are of each message: `lose` drops the connection as soon as the frame is out, and the answer with it;
    `repeat` sends the frame twice; `move` sends it on the old connection and on a new one to the next URL.
    A message sent again, `pause_s` (from, to) later, keeps its message id or gets a new one, as OCPP-J allows.
    `answered` counts answers by Action; `close_codes` are those of sockets that were closed under a message.
    """

    def __init__(
        self,
        urls: Sequence[str],
        identity: str,
        *,
        seed: int,
        answer_s: float = 10.0,
        pause_s: tuple[float, float] = (0.02, 0.2),
        lose: float = 0.0,
        repeat: float = 0.0,
        move: float = 0.0,
    ) -> None:
        self.urls, self.identity = list(urls), identity
        self.random = Random(seed)
        self.answer_s, self.pause_s = answer_s, pause_s
        self.lose, self.repeat, self.move = lose, repeat, move
        self.link: Link | None = None
        self.left: list[Link] = []
        self.connections = self.resends = 0
        self.answered: Counter[str] = Counter()
        self.close_codes: list[int] = []
        self.latencies: list[float] = []
        self._next_url = self.random.randrange(len(self.urls))
        self._next_id = 0

    async def deliver(self, action: str, payload: dict[str, Any]) -> Any:
        """Send a CALL until it is answered; return the CALLRESULT's payload.

        :raises Refused: it was answered with a CALLERROR. :raises TimeoutError: not answered in PATIENCE_S.
        """
        unique_id = self._new_id()
        async with asyncio.timeout(PATIENCE_S):
            while True:
                began = asyncio.get_running_loop().time()
                try:
                    result = await self._attempt(unique_id, action, payload)
                except LOST as error:
                    if isinstance(error, ConnectionClosed):
                        self.close_codes.append(error.rcvd.code if error.rcvd else 1006)
                    self.drop()
                    self.resends += 1
                    await asyncio.sleep(self.random.uniform(*self.pause_s))
                    if self.random.random() < 0.5:
                        unique_id = self._new_id()
                else:
                    self.answered[action] += 1
                    self.latencies.append(asyncio.get_running_loop().time() - began)
                    return result

    async def _attempt(self, unique_id: str, action: str, payload: dict[str, Any]) -> Any:
        link = await self.connected()
        frame = json.dumps([2, unique_id, action, payload])
        mischief = self.random.random()
        if mischief < self.lose:
            await link.send(frame)
            await asyncio.sleep(self.random.choice((0.0, 0.001, 0.005, 0.02)))
            link.abort()
            raise ConnectionResetError
        if mischief < self.lose + self.repeat:
            again = self._new_id() if self.random.random() < 0.5 else unique_id
            await link.send(frame)
            await link.send(json.dumps([2, again, action, payload]))
            first = result_of(await link.receive(self.answer_s), unique_id)
            assert first == result_of(await link.receive(self.answer_s), again), "a repeated frame, another answer"
            return first
        if mischief < self.lose + self.repeat + self.move:
            await link.send(frame)
            self.left.append(link)
            self.link = None
            link = await self.connected()
        await link.send(frame)
        return result_of(await link.receive(self.answer_s), unique_id)

    @property
    def answers(self) -> int:
        """How many messages were answered."""
        return self.answered.total()

    async def connected(self) -> Link:
        if self.link is None:
            self._next_url = (self._next_url + 1) % len(self.urls)
            self.link = await Link.open(self.urls[self._next_url], self.identity, timeout_s=self.answer_s)
            self.connections += 1
        return self.link

    def drop(self) -> None:
        """Leave the connection without a word."""
        if self.link is not None:
            self.link.abort()
            self.link = None

    async def close(self) -> None:
        for link in [*self.left, *([self.link] if self.link else [])]:
            await link.close()
        self.left, self.link = [], None

    async def __aenter__(self) -> "RetryingCharger":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    def _new_id(self) -> str:
        self._next_id += 1
        return f"{self.identity}-{self._next_id}"

    # What it does all day

    async def boot(self) -> None:
        await self.deliver("BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "Retry"})

    async def charge(self, session: Session, *, pause_s: float = 0.0) -> Session:
        """Deliver a whole session: start, samples, stop."""
        await self.start(session)
        for number in range(len(session.samples)):
            await asyncio.sleep(pause_s)
            await self.sample(session, number)
        await asyncio.sleep(pause_s)
        await self.stop(session)
        return session

    async def start(self, session: Session) -> None:
        answer = await self.deliver("StartTransaction", start_payload(session))
        session.transaction_id, session.status = answer["transactionId"], answer["idTagInfo"]["status"]

    async def sample(self, session: Session, number: int) -> None:
        assert await self.deliver("MeterValues", meter_payload(session, number)) == {}
        session.answered_samples += 1

    async def stop(self, session: Session) -> None:
        answer = await self.deliver("StopTransaction", stop_payload(session))
        assert answer["idTagInfo"]["status"] in ("Accepted", "Invalid"), answer
        session.is_stopped = True


def start_payload(session: Session) -> dict[str, Any]:
    return {
        "connectorId": session.connector_id,
        "idTag": session.id_tag,
        "meterStart": session.meter_start,
        "timestamp": iso(session.started_at),
    }


def meter_payload(session: Session, number: int) -> dict[str, Any]:
    at, register_wh = session.samples[number]
    sampled = [
        {"value": str(register_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": f"{register_wh % 7 + 7}.5", "measurand": "Power.Active.Import", "unit": "kW"},
    ]
    return {
        "connectorId": session.connector_id,
        "transactionId": session.transaction_id,
        "meterValue": [{"timestamp": iso(at), "sampledValue": sampled}],
    }


def stop_payload(session: Session) -> dict[str, Any]:
    return {
        "transactionId": session.transaction_id,
        "idTag": session.id_tag,
        "meterStop": session.meter_stop,
        "timestamp": iso(session.stopped_at),
        "reason": "Local",
    }


def result_of(answer: Any, unique_id: str) -> Any:
    """Return a CALLRESULT's payload.

    :raises Refused: it is a CALLERROR.
    """
    if answer[0] == 4:
        raise Refused(answer)
    assert (answer[0], answer[1]) == (3, unique_id), f"expected the answer to {unique_id}, got {answer}"
    return answer[2]


def iso(instant: datetime) -> str:
    return instant.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def make_session(
    identity: str, number: int, *, connector_id: int = 1, samples: int = 4, id_tag: str = "TAG"
) -> Session:
    """The charger's session of this number: an hour each, the latest has just ended, registers that only rise."""
    started_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=50 - number)
    meter_start = 100_000 * connector_id + 10_000 * number
    minutes = [timedelta(minutes=5 * (index + 1)) for index in range(samples)]
    values = [(started_at + after, meter_start + 250 * (index + 1)) for index, after in enumerate(minutes)]
    return Session(
        identity=identity,
        connector_id=connector_id,
        id_tag=id_tag,
        meter_start=meter_start,
        started_at=started_at,
        meter_stop=meter_start + 250 * samples + 100,
        stopped_at=started_at + timedelta(minutes=59),
        samples=values,
    )
