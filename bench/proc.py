"""CPU time and memory of a process and its children, from /proc."""

import os
import time
from collections import defaultdict
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def process_tree(pid: int) -> list[int]:
    """Return a process and everything below it; nothing if it is gone."""
    children: dict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").iterdir():
        if path.name.isdigit() and (fields := _stat(int(path.name))):
            children[int(fields[1])].append(int(path.name))
    found = [pid] if _stat(pid) else []
    for each in found:
        found.extend(children[each])
    return found


def cpu_s(pid: int) -> float:
    """Return the CPU seconds of a process, its living children, and those it has waited for."""
    ticks = 0
    for each in process_tree(pid):
        if fields := _stat(each):
            ticks += sum(int(field) for field in fields[11:15])  # utime, stime, cutime, cstime
    return ticks / _TICKS_PER_S


def pss_kib(pid: int) -> int:
    """Return the proportional memory of a process and its children: what they share is counted once."""
    total = 0
    for each in process_tree(pid):
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def parent_of(pid: int) -> int:
    """Return the parent of a process, 0 if it is gone."""
    return int(fields[1]) if (fields := _stat(pid)) else 0


def _stat(pid: int) -> list[str]:
    """Return the fields of /proc/PID/stat behind the command's name, which may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


class CpuMeter:
    """CPU seconds of named processes between its two readings: call it at the beginning and at the end."""

    def __init__(self, pids: dict[str, int]) -> None:
        self._pids = pids
        self._readings: list[tuple[float, dict[str, float]]] = []

    def __call__(self) -> None:
        self._readings.append((time.monotonic(), {name: cpu_s(pid) for name, pid in self._pids.items()}))

    def seconds(self) -> dict[str, float]:
        (_, before), (_, after) = self._readings
        return {name: after[name] - before[name] for name in after}
