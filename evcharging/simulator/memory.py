"""What a charge point keeps through a power cut: its registers, how far its sessions have come, its password."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from evcharging.atomic_files import write_private_file


@dataclass
class Memory:
    """One station's memory; without a file it lasts as long as the run.

    The next run goes on where this one ended, or the central system would see meters jump and sessions overlap.
    """

    file: Path | None = None
    registers_wh: dict[int, float] = field(default_factory=dict)
    latest_at: datetime | None = None
    password: str = ""

    def save(self) -> None:
        if self.file is None:
            return
        self.file.parent.mkdir(parents=True, exist_ok=True)
        latest = self.latest_at.isoformat() if self.latest_at else None
        facts = {"registers_wh": self.registers_wh, "latest_at": latest, "password": self.password}
        write_private_file(self.file, json.dumps(facts))


def recall(folder: Path | None, url: str, identity: str) -> Memory:
    """Return what the station keeps of its life on that central system; an unreadable file is as none."""
    if folder is None:
        return Memory()
    file = folder / quote(url.rstrip("/"), safe="") / f"{identity}.json"
    try:
        facts = json.loads(file.read_text())
        return Memory(file, _registers(facts["registers_wh"]), _time(facts["latest_at"]), str(facts["password"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Memory(file)


def _registers(facts: Mapping[str, float]) -> dict[int, float]:
    return {int(number): float(register_wh) for number, register_wh in facts.items()}


def _time(written: str | None) -> datetime | None:
    return datetime.fromisoformat(written).astimezone(UTC) if written else None
