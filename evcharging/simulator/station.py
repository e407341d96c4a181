"""One simulated station: what it is built of and knows, whatever its connection does."""

import asyncio
from collections.abc import Awaitable, Coroutine
from datetime import datetime
from random import Random
from typing import Any

from ocpp.v16 import call
from ocpp.v16.enums import ChargePointErrorCode, ChargePointStatus, FirmwareStatus

from evcharging.simulator.certificates import Certificates
from evcharging.simulator.configuration import Configuration
from evcharging.simulator.connection import CallFailed, Connection, Offline
from evcharging.simulator.connector import ActiveSession, Connector
from evcharging.simulator.file_transfer import FileTransfer
from evcharging.simulator.hardware import hardware_of
from evcharging.simulator.local_list import AuthorizationCache, LocalList
from evcharging.simulator.memory import Memory
from evcharging.simulator.meter import Meter, Sample
from evcharging.simulator.outbox import Outbox
from evcharging.simulator.profiles import Profiles
from evcharging.simulator.reservations import Reservations
from evcharging.simulator.tally import Tally
from evcharging.simulator.times import now, text


class Station:
    """A charge point with its connectors. `connection` is its open connection once it has booted, else None."""

    def __init__(
        self, number: int, *, url: str, tally: Tally, memory: Memory, random: Random, reboot_s: float = 1.0
    ) -> None:
        self.number, self.identity = number, identity_of(number)
        self.url, self.tally, self.memory, self.random, self.reboot_s = url, tally, memory, random, reboot_s
        self.hardware = hardware_of(number)
        self.firmware_version = "1.0.0"
        self.connectors = {
            n: Connector(n, Meter(memory.registers_wh.get(n, random.randrange(200, 90_000)), self.hardware, random))
            for n in range(1, self.hardware.connectors + 1)
        }
        self.is_operative = True
        self.is_accepted = False
        self.must_boot = True
        self.expects_reconnection = False
        self.configuration = Configuration(self.hardware)
        self.profiles = Profiles(self.hardware)
        self.certificates = Certificates(self.identity)
        self.local_list, self.cache = LocalList(), AuthorizationCache()
        self.reservations = Reservations()
        self.outbox = Outbox(self.online, self.configuration.integer, self.error)
        self.firmware_update, self.log_upload = FileTransfer(), FileTransfer()
        self.firmware_status = FirmwareStatus.idle
        self.connection: Connection | None = None
        self.was_online = asyncio.Event()
        self._online: asyncio.Event = asyncio.Event()
        self._tasks: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[Any]] = set()

    # Tasks

    def begin(self, tasks: asyncio.TaskGroup) -> None:
        self._tasks = tasks
        self.spawn(self.outbox.run())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do something beside, until the station's end."""
        assert self._tasks is not None
        task = self._tasks.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    def end(self) -> None:
        for task in self._running:
            task.cancel()

    def error(self, what: str) -> None:
        self.tally.error(self.identity, what)

    # Connection

    async def online(self) -> Connection:
        """Wait until the station may send transaction messages, and return its connection."""
        while True:
            await self._online.wait()
            if self.connection is not None:
                return self.connection

    def came_online(self) -> None:
        self._online.set()
        self.was_online.set()

    def went_offline(self) -> None:
        self._online.clear()
        self.connection = None

    async def reconnect(self, *, is_boot: bool) -> None:
        """Drop the connection and come again, after a reboot as one that boots."""
        connection = self.connection
        self.expects_reconnection = True
        self.went_offline()
        if is_boot:
            self.must_boot = True
            self.configuration.reboot()
        if connection is not None:
            await connection.close()

    async def tell(self, payload: Any) -> Any:
        """Send what is worth nothing later; return the answer, None without a connection or after a refusal."""
        if self.connection is None:
            return None
        return await self.attempt(self.connection.send_call(payload))

    async def attempt(self, sending: Awaitable[Any]) -> Any:
        """Await the sending of a CALL; return its answer, None if the connection closed or the CALL failed."""
        try:
            return await sending
        except Offline:
            return None
        except CallFailed as failure:
            self.error(str(failure))
            return None

    # Status

    async def show(self, connector: Connector, status: str) -> None:
        """Take over a connector's status and report it if it is another one."""
        if connector.status != status:
            connector.status = status
            await self.tell_status(connector.number)

    async def rest(self, connector: Connector) -> None:
        """Show what a connector without a session is."""
        if connector.session is None:
            if not self.is_operative or not connector.is_operative:
                await self.show(connector, "Unavailable")
            elif self.reservations.of_connector(connector.number):
                await self.show(connector, "Reserved")
            else:
                await self.show(connector, "Available")

    async def tell_status(self, connector_id: int) -> None:
        await self.tell(self.status_of(connector_id))

    def status_of(self, connector_id: int) -> call.StatusNotification:
        """Return the StatusNotification of a connector as it is now; 0 is the station itself."""
        if connector_id == 0:
            status = "Available" if self.is_operative else "Unavailable"
        else:
            status = self.connectors[connector_id].status
        return call.StatusNotification(
            connector_id, ChargePointErrorCode.no_error, ChargePointStatus(status), text(now())
        )

    def free_connectors(self, id_tag: str) -> list[Connector]:
        """Return the connectors at which this tag could charge now."""
        reserved_any = self.reservations.of_connector(0)
        free = []
        for connector in self.connectors.values():
            reservation = self.reservations.of_connector(connector.number)
            is_kept = reservation is not None and reservation.id_tag.casefold() != id_tag.casefold()
            if connector.session is None and self.is_operative and connector.is_operative and not is_kept:
                free.append(connector)
        if reserved_any is not None and reserved_any.id_tag.casefold() != id_tag.casefold():
            free = free[1:]  # one is kept for whom the station is reserved
        return free

    async def rest_all(self) -> None:
        """Show what the connectors without a session are now."""
        for connector in self.connectors.values():
            await self.rest(connector)

    # Charging

    def sessions(self) -> list[ActiveSession]:
        return [connector.session for connector in self.connectors.values() if connector.session is not None]

    async def authorize(self, id_tag: str) -> str:
        """Return a tag's status: of the local list or the cache if that is enough, else of the central system."""
        known = self.cache.info(id_tag) if self.configuration.flag("AuthorizationCacheEnabled") else None
        if self.configuration.flag("LocalAuthListEnabled"):
            known = self.local_list.info(id_tag) or known
        if known and known["status"] == "Accepted" and self.configuration.flag("LocalPreAuthorize"):
            return "Accepted"
        answer = await self.tell(call.Authorize(id_tag))
        if answer is not None:
            self.cache.learn(id_tag, answer.id_tag_info)
            return str(answer.id_tag_info["status"])
        if known and self.configuration.flag("LocalAuthorizeOffline"):
            return str(known["status"])
        return "Accepted" if self.configuration.flag("AllowOfflineTxForUnknownId") else "Invalid"

    def reading(self, connector: Connector, key: str, context: str) -> call.MeterValues | None:
        """Return a MeterValues of what the configuration key lists, None if it lists nothing."""
        sampled = connector.meter.sampled(self.configuration.words(key), connector.vehicle, context)
        session = connector.session
        at = now() if session is None else session.pace.at
        transaction_id = None if session is None else session.transaction_id
        return _meter_values(connector.number, sampled, at, transaction_id)

    def reading_of(self, connector_id: int, key: str, context: str) -> call.MeterValues | None:
        """Return a connector's MeterValues by its number; 0 is the main meter."""
        if connector_id == 0:
            return self._main_reading(context)
        return self.reading(self.connectors[connector_id], key, context)

    def _main_reading(self, context: str) -> call.MeterValues | None:
        register_wh = sum(connector.meter.whole_wh for connector in self.connectors.values())
        value = {"value": str(register_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        return _meter_values(0, [value | {"context": context, "location": "Inlet"}], now(), None)

    def remember(self, connector: Connector, at: datetime) -> None:
        """Keep a connector's register through the end of the run."""
        self.memory.registers_wh[connector.number] = connector.meter.register_wh
        self.memory.latest_at = max(self.memory.latest_at or at, at)
        self.memory.save()


def identity_of(number: int) -> str:
    return f"SIM-{number:04d}"


def id_tag_of(number: int) -> str:
    return f"SIM-TAG-{number:04d}"


def _meter_values(
    connector_id: int, sampled: list[Sample], at: datetime, transaction_id: int | None
) -> call.MeterValues | None:
    if not sampled:
        return None
    return call.MeterValues(connector_id, [{"timestamp": text(at), "sampled_value": sampled}], transaction_id)
