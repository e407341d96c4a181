"""The charge point models that are simulated."""

from typing import NamedTuple

VENDOR = "Simulated"
VOLTAGE = 230.0


class Hardware(NamedTuple):
    """A charge point model; `max_power_w` is per connector."""

    model: str
    is_dc: bool
    connectors: int
    max_power_w: float

    @property
    def watts_per_ampere(self) -> float:
        """Power per ampere of a charging limit: on three phases of 230 V, or direct current at 400 V."""
        return 400.0 if self.is_dc else 3 * VOLTAGE


AC = Hardware("Wallbox 22", False, 2, 22_080.0)
DC = Hardware("Column 150", True, 1, 150_000.0)


def hardware_of(number: int) -> Hardware:
    """Return the model of a station by its number: every third is a DC fast charger."""
    return DC if number % 3 == 0 else AC
