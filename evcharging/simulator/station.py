"""One simulated station: its parts and its state, which outlive any connection."""

import asyncio
from collections.abc import Awaitable, Coroutine
from datetime import datetime
from random import Random
from typing import Any

from ocpp.v16 import call
from ocpp.v16.enums import ChargePointErrorCode, ChargePointStatus, FirmwareStatus

from evcharging.simulator.certificates import Certificates
from evcharging.simulator.charging_profiles import ChargingProfiles
from evcharging.simulator.configuration import Configuration
from evcharging.simulator.connection import CallFailed, Connection, Offline
from evcharging.simulator.connector import ActiveSession, Connector
from evcharging.simulator.file_transfer import FileTransfer
from evcharging.simulator.hardware import hardware_of
from evcharging.simulator.identities import identity_of
from evcharging.simulator.local_list import AuthorizationCache, LocalList
from evcharging.simulator.meter import Meter, Sample
from evcharging.simulator.outbox import Outbox
from evcharging.simulator.persistent_state import PersistentState
from evcharging.simulator.reservations import Reservations
from evcharging.simulator.run_statistics import RunStatistics
from evcharging.simulator.times import format_time, now


class Station:
    """A charge point with its connectors. `connection` is set from the accepted boot until it closes."""

    def __init__(
        self,
        number: int,
        *,
        url: str,
        statistics: RunStatistics,
        state: PersistentState,
        random: Random,
        reboot_s: float = 1.0,
    ) -> None:
        self.number, self.identity = number, identity_of(number)
        self.url, self.statistics, self.state, self.random, self.reboot_s = url, statistics, state, random, reboot_s
        self.hardware = hardware_of(number)
        self.firmware_version = "1.0.0"
        self.connectors = {
            n: Connector(n, Meter(state.registers_wh.get(n, random.randrange(200, 90_000)), self.hardware, random))
            for n in range(1, self.hardware.connectors + 1)
        }
        self.is_operative = True
        self.is_accepted = False
        self.must_boot = True
        self.is_reconnecting = False
        """The station has closed the connection itself, to open another one."""
        self.configuration = Configuration(self.hardware)
        self.profiles = ChargingProfiles(self.hardware)
        self.certificates = Certificates(self.identity)
        self.local_list, self.cache = LocalList(), AuthorizationCache()
        self.reservations = Reservations()
        self.outbox = Outbox(self.wait_online, self.configuration.integer, self.record_error)
        self.firmware_update, self.log_upload = FileTransfer(), FileTransfer()
        self.firmware_status = FirmwareStatus.idle
        self.connection: Connection | None = None
        self.first_online = asyncio.Event()
        self._online: asyncio.Event = asyncio.Event()
        self._task_group: asyncio.TaskGroup | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    # Tasks

    def start(self, task_group: asyncio.TaskGroup) -> None:
        self._task_group = task_group
        self.spawn(self.outbox.run())

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` in a task that is cancelled when the station ends."""
        assert self._task_group is not None
        task = self._task_group.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def cancel_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    def record_error(self, error: str) -> None:
        self.statistics.record_error(self.identity, error)

    # Connection

    async def wait_online(self) -> Connection:
        """Wait until the station may send transaction messages, and return its connection."""
        while True:
            await self._online.wait()
            if self.connection is not None:
                return self.connection

    def mark_online(self) -> None:
        self._online.set()
        self.first_online.set()

    def mark_offline(self) -> None:
        self._online.clear()
        self.connection = None

    async def reconnect(self, *, is_boot: bool) -> None:
        """Close the connection so that the station opens another one, after a reboot if `is_boot`."""
        connection = self.connection
        self.is_reconnecting = True
        self.mark_offline()
        if is_boot:
            self.must_boot = True
            self.configuration.apply_pending()
        if connection is not None:
            await connection.close()

    async def send(self, payload: Any) -> Any:
        """Send a CALL that is dropped while offline; return its answer, or None as `attempt` does."""
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
            self.record_error(str(failure))
            return None

    # Status

    async def set_status(self, connector: Connector, status: str) -> None:
        """Set a connector's status, and report it if it has changed."""
        if connector.status != status:
            connector.status = status
            await self.send(self.status_notification(connector.number))

    async def set_idle_status(self, connector: Connector) -> None:
        """Set the status of a connector that no session occupies: Unavailable, Reserved or Available."""
        if connector.session is None:
            if not self.is_operative or not connector.is_operative:
                await self.set_status(connector, "Unavailable")
            elif self.reservations.of_connector(connector.number):
                await self.set_status(connector, "Reserved")
            else:
                await self.set_status(connector, "Available")

    async def set_idle_statuses(self) -> None:
        for connector in self.connectors.values():
            await self.set_idle_status(connector)

    def status_notification(self, connector_id: int) -> call.StatusNotification:
        """Return the StatusNotification of a connector's present status; connector 0 is the station itself."""
        if connector_id == 0:
            status = "Available" if self.is_operative else "Unavailable"
        else:
            status = self.connectors[connector_id].status
        return call.StatusNotification(
            connector_id, ChargePointErrorCode.no_error, ChargePointStatus(status), format_time(now())
        )

    # Charging

    def sessions(self) -> list[ActiveSession]:
        return [connector.session for connector in self.connectors.values() if connector.session is not None]

    def free_connectors(self, id_tag: str) -> list[Connector]:
        """Return the connectors on which this tag could start a session now."""
        free = []
        for connector in self.connectors.values():
            reservation = self.reservations.of_connector(connector.number)
            is_reserved = reservation is not None and not reservation.is_for(id_tag)
            if connector.session is None and self.is_operative and connector.is_operative and not is_reserved:
                free.append(connector)
        reservation = self.reservations.of_connector(0)
        if reservation is not None and not reservation.is_for(id_tag):
            free = free[1:]  # one connector stays free for the tag that reserved any of them
        return free

    async def authorize(self, id_tag: str) -> str:
        """Return a tag's status: from the local list or the cache where those suffice, else from an Authorize."""
        known = self.cache.info(id_tag) if self.configuration.boolean("AuthorizationCacheEnabled") else None
        if self.configuration.boolean("LocalAuthListEnabled"):
            known = self.local_list.info(id_tag) or known
        if known and known["status"] == "Accepted" and self.configuration.boolean("LocalPreAuthorize"):
            return "Accepted"
        answer = await self.send(call.Authorize(id_tag))
        if answer is not None:
            self.cache.store(id_tag, answer.id_tag_info)
            return str(answer.id_tag_info["status"])
        if known and self.configuration.boolean("LocalAuthorizeOffline"):
            return str(known["status"])
        return "Accepted" if self.configuration.boolean("AllowOfflineTxForUnknownId") else "Invalid"

    # Meter

    def meter_values(self, connector_id: int, key: str, context: str) -> call.MeterValues | None:
        """Return a MeterValues with the measurands that a configuration key lists, None if it lists none.

        Connector 0 is the main meter, which has only the sum of the connectors' registers.
        """
        if connector_id == 0:
            return self._main_meter_values(context)
        connector = self.connectors[connector_id]
        sampled = connector.meter.sampled(self.configuration.csv_items(key), connector.vehicle, context)
        if not sampled:
            return None
        session = connector.session
        at = now() if session is None else session.clock.now
        return _meter_values(connector_id, sampled, at, None if session is None else session.transaction_id)

    def _main_meter_values(self, context: str) -> call.MeterValues:
        register_wh = sum(connector.meter.register_whole_wh for connector in self.connectors.values())
        value = {"value": str(register_wh), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}
        return _meter_values(0, [value | {"context": context, "location": "Inlet"}], now(), None)

    def save_register(self, connector: Connector, at: datetime) -> None:
        """Save a connector's register, and the end of its session, for the next run."""
        self.state.registers_wh[connector.number] = connector.meter.register_wh
        self.state.last_session_ended_at = max(self.state.last_session_ended_at or at, at)
        self.state.save()


def _meter_values(
    connector_id: int, sampled: list[Sample], at: datetime, transaction_id: int | None
) -> call.MeterValues:
    return call.MeterValues(connector_id, [{"timestamp": format_time(at), "sampled_value": sampled}], transaction_id)
