"""What a charge point keeps in non-volatile memory: meter registers, the end of its last session, its password."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from evcharging.atomic_files import write_private_file


@dataclass
class PersistentState:
    """One station's state between runs; without a file it lasts for one run.

    The next run continues from it: otherwise the central system would see registers jump and sessions overlap.
    """

    file: Path | None = None
    registers_wh: dict[int, float] = field(default_factory=dict)
    last_session_ended_at: datetime | None = None
    password: str = ""

    def save(self) -> None:
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        ended_at = self.last_session_ended_at.isoformat() if self.last_session_ended_at else None
        state = {"registers_wh": self.registers_wh, "latest_at": ended_at, "password": self.password}
        write_private_file(self.file, json.dumps(state))


def load_state(folder: Path | None, url: str, identity: str) -> PersistentState:
    """Return a station's state at the central system of that URL, an empty one if its file cannot be read."""
    if folder is None:
        return PersistentState()
    file = folder / quote(url.rstrip("/"), safe="") / f"{identity}.json"
    try:
        state = json.loads(file.read_text())
        return PersistentState(
            file, _registers(state["registers_wh"]), _time(state["latest_at"]), str(state["password"])
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return PersistentState(file)


def _registers(written: Mapping[str, float]) -> dict[int, float]:
    return {int(number): float(register_wh) for number, register_wh in written.items()}


def _time(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written).astimezone(UTC) if written else None
