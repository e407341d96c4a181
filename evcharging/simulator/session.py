"""One charging session: from the plug to the last StopTransaction."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from ocpp.v16 import call

from evcharging.simulator.connector import Connector
from evcharging.simulator.meter import Vehicle
from evcharging.simulator.station import Station
from evcharging.simulator.times import Pace, text

STEP_S = 60.0


class Session:
    """A vehicle at a connector. `seconds` of its own time it charges; None until somebody stops it.

    `is_planned`: it is the run's own, so that its tag must be accepted; one that was started remotely may be refused.
    """

    def __init__(
        self,
        station: Station,
        connector: Connector,
        id_tag: str,
        *,
        pace: Pace,
        vehicle: Vehicle,
        seconds: float | None = None,
        is_planned: bool = False,
        profile: dict[str, Any] | None = None,
    ) -> None:
        self.station, self.connector, self.id_tag = station, connector, id_tag
        self.pace, self.seconds, self.is_planned, self.profile = pace, seconds, is_planned, profile
        self.transaction_id: int | None = None
        self.began_at: datetime = pace.at
        self.finished = asyncio.Event()
        self._stopping = asyncio.Event()
        self._reason = "Local"
        self._meter_start = 0
        self._data: list[dict[str, Any]] = []
        # From now on nobody else gets the connector.
        connector.session, connector.vehicle = self, vehicle

    def stop(self, reason: str) -> None:
        """Make it end; the first reason counts."""
        if not self._stopping.is_set():
            self._reason = reason
            self._stopping.set()

    async def run(self) -> None:
        station, connector = self.station, self.connector
        await station.show(connector, "Preparing")
        if await self._is_authorized() and not self._stopping.is_set() and await self._start():
            await self._charge()
            connector.meter.power_w = 0.0
            await station.show(connector, "Finishing")
            await self._stop()
        connector.session = connector.vehicle = None
        station.remember(connector, self.pace.at)
        await station.rest(connector)
        self.finished.set()

    async def _is_authorized(self) -> bool:
        if not self.is_planned and not self.station.configuration.flag("AuthorizeRemoteTxRequests"):
            return True
        status = await self.station.authorize(self.id_tag)
        if status != "Accepted" and self.is_planned:
            self.station.error(f"Authorize of {self.id_tag} was answered {status}")
        return status == "Accepted"

    async def _start(self) -> bool:
        station, connector = self.station, self.connector
        self.began_at, self._meter_start = self.pace.at, connector.meter.whole_wh
        begin = call.StartTransaction(
            connector_id=connector.number,
            id_tag=self.id_tag,
            meter_start=self._meter_start,
            timestamp=text(self.began_at),
            reservation_id=station.reservations.use(connector.number, self.id_tag),
        )
        self._collect("Transaction.Begin")
        answer = await station.outbox.put(begin)
        if answer is None:
            return False
        self.transaction_id = answer.transaction_id
        status = answer.id_tag_info["status"]
        station.cache.learn(self.id_tag, answer.id_tag_info)
        if status != "Accepted":
            if self.is_planned:
                self.station.error(f"StartTransaction of {self.id_tag} was answered {status}")
            if station.configuration.flag("StopTransactionOnInvalidId"):
                self.stop("DeAuthorized")
        if self.profile is not None:
            station.profiles.install(connector.number, self.profile, self.transaction_id)
        return True

    async def _charge(self) -> None:
        elapsed_s = 0.0
        while not self._stopping.is_set():
            await self.station.show(self.connector, self._status())
            interval_s = self.station.configuration.integer("MeterValueSampleInterval")
            step_s = float(interval_s or STEP_S)
            if self.seconds is not None:
                step_s = min(step_s, self.seconds - elapsed_s)
            passed_s = await self._flow(step_s)
            elapsed_s += passed_s
            if self.seconds is not None and elapsed_s >= self.seconds - 0.001:
                self.stop("EVDisconnected" if self.station.random.random() < 0.25 else "Local")
            elif interval_s and not self._stopping.is_set():
                self._report()

    async def _flow(self, seconds: float) -> float:
        """Wait, and let the energy of that time flow."""
        connector, began = self.connector, self.pace.at
        assert connector.vehicle is not None
        passed_s = await self.pace.go(seconds, self._stopping)
        connector.meter.charge(connector.vehicle, lambda into_s: self._limit_w(began, into_s), passed_s)
        return passed_s

    def _limit_w(self, began: datetime, into_s: float) -> float:
        return self.station.profiles.limit_w(self.connector.number, began + _seconds(into_s), self.began_at)

    def _status(self) -> str:
        vehicle = self.connector.vehicle
        if self._limit_w(self.pace.at, 0.0) <= 0:
            return "SuspendedEVSE"
        return "Charging" if vehicle is not None and vehicle.wanted_power_w > 0 else "SuspendedEV"

    def _report(self) -> None:
        """Queue a sample of now; it is delivered while the charging goes on."""
        self._collect("Sample.Periodic")
        reading = self.station.reading(self.connector, "MeterValuesSampledData", "Sample.Periodic")
        if reading is not None:
            self.station.outbox.put(reading)

    def _collect(self, context: str) -> None:
        """Keep a sample for the StopTransaction."""
        connector = self.connector
        measurands = self.station.configuration.words("StopTxnSampledData")
        if measurands:
            values = connector.meter.sampled(measurands, connector.vehicle, context)
            self._data.append({"timestamp": text(self.pace.at), "sampled_value": values})

    async def _stop(self) -> None:
        station, transaction_id = self.station, self.transaction_id
        assert transaction_id is not None
        self._collect("Transaction.End")
        meter_stop = self.connector.meter.whole_wh
        end = call.StopTransaction(
            meter_stop=meter_stop,
            timestamp=text(self.pace.at),
            transaction_id=transaction_id,
            reason=self._reason,
            id_tag=self.id_tag if self._reason == "Local" else None,
            transaction_data=self._data or None,
        )
        answer = await station.outbox.put(end)
        station.profiles.end_transaction(transaction_id)
        if answer is not None:
            station.tally.sessions += 1
            station.tally.energy_wh += meter_stop - self._meter_start


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
