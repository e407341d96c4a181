"""The WebSocket consumers: admit a charger, then take its frames one after the other."""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from channels.consumer import AsyncConsumer

from evcharging.gateway import auth
from evcharging.gateway.auth import BadCredentials, BadIdentity
from evcharging.gateway.charge_point import ChargePoint
from evcharging.gateway.connection import Connection
from evcharging.gateway.database.sessions import DatabaseAway
from evcharging.gateway.database.thread_pool import until_committed
from evcharging.gateway.dialects import agreed_version, connection_dialect, own_spelling
from evcharging.gateway.process import GatewayProcess, gateway_process
from evcharging.server.health import ready
from stations.models import RefusalReason
from stations.services.connection import Admission, Attempt, connect_station
from transactions.services.start import ConnectionSuperseded

logger = logging.getLogger(__name__)

TRY_AGAIN_LATER, UNSUPPORTED_DATA, NORMAL = 1013, 1003, 1000


class ChargePointConsumer(AsyncConsumer):
    """One charger's connection, with its own receive loop.

    Channels' dispatch costs more per message than all of ours, so `__call__` reads the socket itself; what comes from
    other processes arrives through the one receiver of `process.GatewayProcess`.
    """

    _is_closed = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.base_send = scope, send
        await receive()  # websocket.connect
        process = await self._process()
        if process is None:
            return
        charge_point = await self._admit(process)
        if charge_point is None:
            return
        liveness = Liveness(charge_point.connection)
        try:
            await process.register(charge_point, self._admission)
            liveness.start()
            await self._serve(charge_point, receive)
        finally:
            liveness.stop()
            # Not the server's patience but the database decides how long this takes.
            await asyncio.shield(process.unregister(charge_point))

    async def _process(self) -> GatewayProcess | None:
        if not ready():
            await self._refuse(503)
            return None
        return await gateway_process()

    async def _admit(self, process: GatewayProcess) -> ChargePoint | None:
        scope = self.scope
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        client = scope.get("client") or ("", 0)
        remote_address = str(client[0])
        offered = scope.get("subprotocols") or []
        version = agreed_version(offered)
        identity, detail, broken_credentials = raw_path[:255].decode("utf-8", "replace"), "", ""
        admission = None
        try:
            identity = auth.identity_of(raw_path)
        except BadIdentity as error:
            admission, detail = Admission(None, RefusalReason.BAD_IDENTITY), str(error)
        try:
            credentials = auth.credentials_of(scope["headers"])
        except BadCredentials as error:
            credentials, broken_credentials = None, str(error)
        if admission is None:
            try:
                attempt = Attempt(identity, credentials, version, remote_address, process.channel, datetime.now(UTC))
                admission = await process.lanes.connects.submit(attempt)
                if admission is None:
                    admission = await until_committed(connect_station, **attempt._asdict())
            except DatabaseAway:
                await self._refuse(503)
                return None
        if admission.station is None:
            refusal = admission.refusal
            assert refusal is not None
            if refusal == RefusalReason.NO_CREDENTIALS and broken_credentials:
                # Only here: of a station without a password none is demanded, so none is wrong.
                refusal, detail = RefusalReason.BAD_CREDENTIALS, broken_credentials
            detail = detail or (f"offered {', '.join(offered)}" if not version and offered else "")
            process.counters.count_refusal(identity, refusal, remote_address, detail, datetime.now(UTC))
            logger.warning("%s refused from %s: %s", identity, remote_address, refusal.label)
            await self._refuse(auth.REFUSAL_STATUS[refusal])
            return None
        self._admission = admission
        # Before the charger knows: whoever sees it connected may command it at once.
        await process.presence.claim({admission.station.station_id: admission.station.epoch})
        dialect = connection_dialect(version or admission.station.assumed_version)
        await self._send({"type": "websocket.accept", "subprotocol": version or own_spelling(dialect, offered)})
        logger.info("%s connected from %s", identity, remote_address)
        connection = Connection(
            admission.station,
            send=self._send_text,
            close=self._close,
            transport=scope.get("extensions", {}).get("evcharging.connection"),
        )
        return ChargePoint(
            connection, dialect=dialect, lanes=process.lanes, answers=process.answers, counters=process.counters
        )

    async def _serve(self, charge_point: ChargePoint, receive: Any) -> None:
        send = self._send
        while True:
            message = await receive()
            if message["type"] != "websocket.receive":
                return
            text = message.get("text")
            if text is None:
                await self._close(UNSUPPORTED_DATA)
                return
            try:
                reply = await charge_point.on_text(text)
            except ConnectionSuperseded:
                await self._close(NORMAL)
                return
            except DatabaseAway:
                logger.error("%s: closed, for the database is away", charge_point.connection.station.identity)
                await self._close(TRY_AGAIN_LATER)
                return
            if reply is not None:
                await send({"type": "websocket.send", "text": reply})

    async def _send_text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    async def _close(self, code: int) -> None:
        await self._send({"type": "websocket.close", "code": code})

    async def _send(self, message: dict[str, Any]) -> None:
        """Send to a socket that may be closed: our server ignores that, others raise in whoever closes it."""
        if self._is_closed:
            return
        self._is_closed = message["type"] == "websocket.close"
        try:
            await self.base_send(message)
        except OSError:
            self._is_closed = True

    async def _refuse(self, status: int) -> None:
        if "websocket.http.response" in self.scope.get("extensions", {}):
            for message in auth.denial(status):
                await self._send(message)
        else:
            await self._send({"type": "websocket.close"})


class UnknownPathConsumer(ChargePointConsumer):
    """Any other path: there is nothing here."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope, self.base_send = scope, send
        await receive()
        await self._refuse(404)


class Liveness:
    """Pings a silent charger and drops one that is silent for too long, each as its station says.

    One timer per connection, moved on only when it fires or its station changes; any frame counts as a sign of life.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._timer: asyncio.TimerHandle | None = None
        self._pinged_at = 0.0
        self._closing: asyncio.Future[None] | None = None

    def start(self) -> None:
        self._connection.on_change = self._check
        self._check()

    def stop(self) -> None:
        self._connection.on_change = lambda: None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        station, transport = self._connection.station, self._connection.transport
        silent_s = loop.time() - self._connection.last_frame_at
        if transport is not None and transport.reading_paused:
            silent_s = 0.0  # it is we who do not listen
        waits = []
        if station.idle_limit_s:
            if silent_s >= station.idle_limit_s:
                logger.info("%s is silent for %.0f s: dropped", station.identity, silent_s)
                if transport is not None:
                    transport.abort()
                else:
                    self._closing = asyncio.ensure_future(self._connection.close(NORMAL))
                return
            waits.append(station.idle_limit_s - silent_s)
        if station.ping_interval_s and transport is not None:
            since_ping_s = min(silent_s, loop.time() - self._pinged_at)
            if since_ping_s >= station.ping_interval_s:
                transport.ping()
                self._pinged_at = loop.time()
                since_ping_s = 0.0
            waits.append(station.ping_interval_s - since_ping_s)
        if waits:
            self._timer = loop.call_later(max(min(waits), 0.1), self._check)
