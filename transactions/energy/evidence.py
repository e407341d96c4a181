"""What is known of a transaction's energy, as its station told it and in canonical units."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from transactions.energy.quantities import Number

REGISTER = "Energy.Active.Import.Register"
INTERVAL = "Energy.Active.Import.Interval"
POWER = "Power.Active.Import"
BEGIN, END = "Transaction.Begin", "Transaction.End"


class Sample(NamedTuple):
    """One sampled value (OCPP 1.6 §7.43), OCPP's defaults filled in.

    `value` is in Wh or W, None where the text is no usable number; `unit` is the station's own. `at` is the effective
    time, aware; `is_timed`: it is the station's own time and credible, not the time of receipt.
    """

    at: datetime
    value: Number | None
    measurand: str = REGISTER
    phase: str = ""
    location: str = "Outlet"
    context: str = "Sample.Periodic"
    unit: str = "Wh"
    is_timed: bool = True


class Evidence(NamedTuple):
    """Everything that is known of one transaction's energy; registers and energies in Wh.

    `samples` are all of its connector, those of `transactionData` among them, in any order, each once. `stopped_at` is
    None while it runs. `is_timed`: start and stop have credible times of the station. `max_power_w` is what connector
    or station declare. `next_start_wh` is the register of the next start on the connector, where there is one.
    `known_wh` is the energy of an earlier verdict on samples that are no longer there. `corrected_wh` is staff's.
    """

    started_at: datetime
    meter_start_wh: Number | None
    samples: Sequence[Sample] = ()
    stopped_at: datetime | None = None
    meter_stop_wh: Number | None = None
    is_timed: bool = True
    max_power_w: Number | None = None
    next_start_wh: Number | None = None
    known_wh: Number | None = None
    corrected_wh: Number | None = None
