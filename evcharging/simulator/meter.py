"""Vehicle and meter: power follows a charging curve, and the register is its integral."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Any

from evcharging.simulator.hardware import VOLTAGE, Hardware

STEP_S = 10.0
"""Integration step."""
TAPER_FROM_PERCENT = 80.0

Sample = dict[str, str]

MEASURANDS = (
    "Energy.Active.Import.Register", "Power.Active.Import", "Current.Import", "Voltage", "SoC", "Power.Offered",
    "Frequency",
)  # fmt: skip


@dataclass
class Vehicle:
    """A plugged-in vehicle: full power up to 80 % state of charge, then falling linearly, to 5 % at least."""

    capacity_wh: float
    max_power_w: float
    soc_percent: float

    @property
    def wanted_power_w(self) -> float:
        if self.soc_percent >= 100:
            return 0.0
        if self.soc_percent <= TAPER_FROM_PERCENT:
            return self.max_power_w
        taper = (100 - self.soc_percent) / (100 - TAPER_FROM_PERCENT)
        return self.max_power_w * max(taper, 0.05)


def random_vehicle(random: Random, hardware: Hardware) -> Vehicle:
    """Return a vehicle of a capacity, power and state of charge typical for the charge point."""
    capacity_wh = random.choice((42_000, 58_000, 64_000, 77_000, 82_000))
    if hardware.is_dc:
        return Vehicle(capacity_wh, random.choice((80_000, 110_000, 135_000)), random.uniform(8, 35))
    return Vehicle(capacity_wh, random.choice((7_360, 11_040, 22_080)), random.uniform(20, 70))


class Meter:
    """A connector's energy meter; its register never decreases. `power_w` is the mean of the latest interval."""

    def __init__(self, register_wh: float, hardware: Hardware, random: Random) -> None:
        self.register_wh = register_wh
        self.power_w = 0.0
        self._hardware, self._random = hardware, random

    @property
    def register_whole_wh(self) -> int:
        return int(self.register_wh)

    def charge(self, vehicle: Vehicle, limit_w: Callable[[float], float], seconds: float) -> None:
        """Add the energy of some seconds; vehicle, charge point and charging profiles limit the power.

        :param limit_w: returns the charging profiles' limit at an offset in seconds from now.
        """
        energy_wh = 0.0
        remaining_s = seconds
        while remaining_s > 0:
            step_s = min(STEP_S, remaining_s)
            allowed_w = max(0.0, limit_w(seconds - remaining_s))
            power_w = min(vehicle.wanted_power_w, allowed_w, self._hardware.max_power_w)
            step_wh = power_w * step_s / 3600
            energy_wh += step_wh
            vehicle.soc_percent = min(100.0, vehicle.soc_percent + 100 * step_wh / vehicle.capacity_wh)
            remaining_s -= step_s
        self.register_wh += energy_wh
        self.power_w = energy_wh * 3600 / seconds if seconds > 0 else 0.0

    def sampled(self, measurands: Iterable[str], vehicle: Vehicle | None, context: str) -> list[Sample]:
        """Return SampledValues (OCPP 1.6 §7.43) in the order of `measurands`; one that the meter lacks is left out."""
        values: list[Sample] = []
        for measurand in measurands:
            values += self._values(measurand, vehicle)
        return [{"context": context, "location": "Outlet"} | value for value in values]

    def _values(self, measurand: str, vehicle: Vehicle | None) -> list[Sample]:
        match measurand:
            case "Energy.Active.Import.Register":
                return [_value(measurand, str(self.register_whole_wh), "Wh")]
            case "Power.Active.Import":
                return [_value(measurand, f"{self.power_w:.1f}", "W")]
            case "Power.Offered":
                return [_value(measurand, f"{self._hardware.max_power_w:.0f}", "W")]
            case "Frequency":
                return [{"measurand": measurand, "value": f"{self._random.uniform(49.98, 50.02):.2f}"}]
            case "SoC" if vehicle is not None and self._hardware.is_dc:
                return [_value(measurand, f"{vehicle.soc_percent:.1f}", "Percent", location="EV")]
            case "Voltage" if not self._hardware.is_dc:
                return [_value(measurand, self._grid_voltage(), "V", phase=f"{phase}-N") for phase in _PHASES]
            case "Voltage":
                return [_value(measurand, f"{self._battery_voltage(vehicle):.1f}", "V")]
            case "Current.Import" if not self._hardware.is_dc:
                amperes = f"{self.power_w / 3 / VOLTAGE:.1f}"
                return [_value(measurand, amperes, "A", phase=phase) for phase in _PHASES]
            case "Current.Import":
                return [_value(measurand, f"{self.power_w / self._battery_voltage(vehicle):.1f}", "A")]
        return []

    def _grid_voltage(self) -> str:
        return f"{self._random.gauss(VOLTAGE, 0.7):.1f}"

    def _battery_voltage(self, vehicle: Vehicle | None) -> float:
        return 330.0 + 0.9 * (vehicle.soc_percent if vehicle else 50.0)


_PHASES = ("L1", "L2", "L3")


def _value(measurand: str, value: str, unit: str, **others: Any) -> Sample:
    return {"measurand": measurand, "value": value, "unit": unit} | others
