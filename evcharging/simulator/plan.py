"""The options of a run."""

from dataclasses import dataclass
from pathlib import Path

SESSION_S = 1800.0
"""Mean duration of a session, in simulated seconds."""
GAP_S = 120.0
"""Pause between two sessions of a station, in simulated seconds."""


@dataclass(frozen=True)
class Plan:
    """One run. With a `duration_s`, stations charge again and again for so long, and `sessions` is not used."""

    url: str
    stations: int = 1
    sessions: int = 1
    speed: float = SESSION_S / 15
    duration_s: float | None = None
    seed: int | None = None
    password: str = ""
    keep_connected: bool = False
    state_dir: Path | None = None
    reboot_s: float = 1.0
