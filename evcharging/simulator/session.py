"""One charging session, from plugging in to the answered StopTransaction."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

from ocpp.v16 import call

from evcharging.simulator.connector import Connector
from evcharging.simulator.meter import Vehicle
from evcharging.simulator.session_clock import SessionClock
from evcharging.simulator.station import Station
from evcharging.simulator.times import format_time

DEFAULT_STEP_S = 60.0
"""Simulated seconds between two updates of the meter while MeterValueSampleInterval is 0."""


class Session:
    """A vehicle charging at a connector, which it occupies from its creation on.

    :param duration_s: seconds of its clock for which it charges; None until it is stopped.
    :param is_planned: started by the run, so that a refused tag is an error, and not remotely.
    :param profile: TxProfile to install for its transaction.
    """

    def __init__(
        self,
        station: Station,
        connector: Connector,
        id_tag: str,
        *,
        clock: SessionClock,
        vehicle: Vehicle,
        duration_s: float | None = None,
        is_planned: bool = False,
        profile: dict[str, Any] | None = None,
    ) -> None:
        self.station, self.connector, self.id_tag = station, connector, id_tag
        self.clock, self.duration_s, self.is_planned, self.profile = clock, duration_s, is_planned, profile
        self.transaction_id: int | None = None
        self.began_at: datetime = clock.now
        self.finished = asyncio.Event()
        self._stop_requested = asyncio.Event()
        self._reason = "Local"
        self._meter_start = 0
        self._transaction_data: list[dict[str, Any]] = []
        connector.session, connector.vehicle = self, vehicle

    def stop(self, reason: str) -> None:
        """Request the end of the session; only the first reason is used."""
        if not self._stop_requested.is_set():
            self._reason = reason
            self._stop_requested.set()

    async def run(self) -> None:
        station, connector = self.station, self.connector
        await station.set_status(connector, "Preparing")
        if await self._is_authorized() and not self._stop_requested.is_set() and await self._start():
            await self._charge()
            connector.meter.power_w = 0.0
            await station.set_status(connector, "Finishing")
            await self._send_stop()
        connector.session = connector.vehicle = None
        station.save_register(connector, self.clock.now)
        await station.set_idle_status(connector)
        self.finished.set()

    async def _is_authorized(self) -> bool:
        if not self.is_planned and not self.station.configuration.boolean("AuthorizeRemoteTxRequests"):
            return True
        status = await self.station.authorize(self.id_tag)
        if status != "Accepted" and self.is_planned:
            self.station.record_error(f"Authorize of {self.id_tag} was answered {status}")
        return status == "Accepted"

    async def _start(self) -> bool:
        """Queue the StartTransaction and wait for its answer; False if it was given up."""
        station, connector = self.station, self.connector
        self.began_at, self._meter_start = self.clock.now, connector.meter.register_whole_wh
        start = call.StartTransaction(
            connector_id=connector.number,
            id_tag=self.id_tag,
            meter_start=self._meter_start,
            timestamp=format_time(self.began_at),
            reservation_id=station.reservations.use(connector.number, self.id_tag),
        )
        self._add_transaction_data("Transaction.Begin")
        answer = await station.outbox.put(start)
        if answer is None:
            return False
        self.transaction_id = answer.transaction_id
        status = answer.id_tag_info["status"]
        station.cache.store(self.id_tag, answer.id_tag_info)
        if status != "Accepted":
            if self.is_planned:
                station.record_error(f"StartTransaction of {self.id_tag} was answered {status}")
            if station.configuration.boolean("StopTransactionOnInvalidId"):
                self.stop("DeAuthorized")
        if self.profile is not None:
            station.profiles.install(connector.number, self.profile, self.transaction_id)
        return True

    async def _charge(self) -> None:
        """Charge, sampling every MeterValueSampleInterval, until `duration_s` has passed or a stop is requested."""
        elapsed_s = 0.0
        while not self._stop_requested.is_set():
            await self.station.set_status(self.connector, self._charging_status())
            interval_s = self.station.configuration.integer("MeterValueSampleInterval")
            step_s = float(interval_s or DEFAULT_STEP_S)
            if self.duration_s is not None:
                step_s = min(step_s, self.duration_s - elapsed_s)
            elapsed_s += await self._charge_for(step_s)
            if self.duration_s is not None and elapsed_s >= self.duration_s - 0.001:
                self.stop("EVDisconnected" if self.station.random.random() < 0.25 else "Local")
            elif interval_s and not self._stop_requested.is_set():
                self._queue_sample()

    async def _charge_for(self, seconds: float) -> float:
        """Advance the clock and add the energy of that time to the meter; return the seconds passed."""
        connector, began_at = self.connector, self.clock.now
        assert connector.vehicle is not None
        passed_s = await self.clock.advance(seconds, self._stop_requested)
        connector.meter.charge(
            connector.vehicle, lambda offset_s: self._limit_w(began_at + timedelta(seconds=offset_s)), passed_s
        )
        return passed_s

    def _limit_w(self, at: datetime) -> float:
        return self.station.profiles.limit_w(self.connector.number, at, self.began_at)

    def _charging_status(self) -> str:
        vehicle = self.connector.vehicle
        if self._limit_w(self.clock.now) <= 0:
            return "SuspendedEVSE"
        return "Charging" if vehicle is not None and vehicle.wanted_power_w > 0 else "SuspendedEV"

    def _queue_sample(self) -> None:
        """Queue a MeterValues without waiting for its delivery."""
        self._add_transaction_data("Sample.Periodic")
        meter_values = self.station.meter_values(self.connector.number, "MeterValuesSampledData", "Sample.Periodic")
        if meter_values is not None:
            self.station.outbox.put(meter_values)

    def _add_transaction_data(self, context: str) -> None:
        """Sample the measurands of StopTxnSampledData for the StopTransaction."""
        connector = self.connector
        measurands = self.station.configuration.csv_items("StopTxnSampledData")
        if measurands:
            values = connector.meter.sampled(measurands, connector.vehicle, context)
            self._transaction_data.append({"timestamp": format_time(self.clock.now), "sampled_value": values})

    async def _send_stop(self) -> None:
        station, transaction_id = self.station, self.transaction_id
        assert transaction_id is not None
        self._add_transaction_data("Transaction.End")
        meter_stop = self.connector.meter.register_whole_wh
        stop = call.StopTransaction(
            meter_stop=meter_stop,
            timestamp=format_time(self.clock.now),
            transaction_id=transaction_id,
            reason=self._reason,
            id_tag=self.id_tag if self._reason == "Local" else None,
            transaction_data=self._transaction_data or None,
        )
        answer = await station.outbox.put(stop)
        station.profiles.remove_transaction(transaction_id)
        if answer is not None:
            station.statistics.sessions += 1
            station.statistics.energy_wh += meter_stop - self._meter_start
