"""Sessions whose true energy is known, and what a charger may make of them: the judge of the energy rules.

An honest meter rises at no more than the connector's power. What is told of it may be cut, repeated and out of order;
the register may begin at any zero, roll over, be reset or read nonsense for one sample; other registers may be told
beside it. All numbers come from a `random.Random`, which hypothesis feeds.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

from transactions.energy.evidence import BEGIN, END, INTERVAL, POWER, Evidence, Sample
from transactions.energy.quantities import limit_w, plausible_mwh

STARTED_AT = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
ABSURD_WH = 2**32 - 1
ROLLOVERS_WH = (10**5, 10**6, 10**7, 10**8, 2**16, 2**24, 2**32, 10 * 2**16, 100 * 2**24, 1000 * 2**16)
FAULTS = ("reset", "rollover", "shift", "glitches", "spike")
STOPS = ("honest", "honest", "none", "zero", "minus_one", "start", "below")


def at(seconds: float) -> datetime:
    return STARTED_AT + timedelta(seconds=seconds)


@dataclass
class Session:
    """One session: what is told of it, and the truth (Wh) of it.

    `truth_wh` is the energy at the end, `seen_wh` what the last honest sample of its register that is told knows of
    it. `is_honest_stop`: the register at the end is told, and it is right.
    """

    evidence: Evidence
    truth_wh: float
    seen_wh: float
    is_honest_stop: bool
    resolution_wh: float
    faults: set[str] = field(default_factory=set)

    @property
    def most_wh(self) -> float:
        evidence = self.evidence
        last_at = max([evidence.stopped_at or evidence.started_at, *(each.at for each in evidence.samples)])
        duration_ms = round((last_at - evidence.started_at).total_seconds() * 1000)
        return plausible_mwh(limit_w(evidence.max_power_w), duration_ms) / 1000

    def complaint(self, energy_wh: float | None, marks: tuple[str, ...]) -> str:
        """Say what is wrong with a verdict, "" for nothing."""
        if energy_wh is None:
            return "" if marks else "unknown without a mark"
        if energy_wh < 0:
            return "below 0"
        if energy_wh > self.most_wh:
            return f"{energy_wh} Wh is more than the {self.most_wh} that can be"
        if marks:
            return ""
        least = self.truth_wh if self.is_honest_stop else self.seen_wh
        apart = 100 + self.resolution_wh
        if energy_wh < 0.99 * least - apart or energy_wh > 1.01 * self.truth_wh + apart:
            return f"{energy_wh} Wh without a mark where {least} to {self.truth_wh} is true"
        return ""


def session(random: Random, *, faults: tuple[str, ...] = FAULTS) -> Session:
    """Return a session with some of the faults, its samples in the order of their times."""
    max_power_w = random.choice([None, 3_700, 11_000, 22_000, 150_000])
    chosen = _lasting(random, {fault for fault in faults if random.random() < 0.25})
    times, energies = _honest_meter(random, max_power_w or 150_000)
    registers = _register(random, energies, chosen)
    reported = _with_nonsense(random, registers, chosen)
    resolution = random.choice([0.001, 1, 1, 10, 100])
    told = [
        (Sample(at(when), _rounded(value, resolution)), energy, value == true)
        for when, value, true, energy in zip(times[1:-1], reported[1:-1], registers[1:-1], energies[1:-1], strict=True)
    ]
    told = _cut(random, told, chosen)
    samples = [sample for sample, _, _ in told]
    stop_kind = random.choice(STOPS)
    start, stop = registers[0], _stop(stop_kind, registers)
    extra = _beside(random, samples)
    begins = [Sample(each.at, start, context=BEGIN) for each in samples[:: random.choice([1, 3])]]
    has_begins = random.random() < 0.3
    if has_begins:
        extra += begins
    if random.random() < 0.2:
        extra += [
            each._replace(context="Sample.Clock", value=_rounded(energy, resolution)) for each, energy, _ in told
        ]
    if random.random() < 0.3:
        extra += _flow(random, times, energies)
    if stop_kind == "honest" and random.random() < 0.3:
        extra.append(Sample(at(times[-1]), registers[-1], context=END))
    is_open = stop is None and random.random() < 0.3
    evidence = Evidence(
        started_at=STARTED_AT,
        meter_start_wh=None if has_begins and begins and random.random() < 0.5 else start,
        samples=sorted([*samples, *extra], key=lambda each: each.at),
        stopped_at=None if is_open else at(times[-1]),
        meter_stop_wh=stop,
        max_power_w=max_power_w,
    )
    return Session(
        evidence,
        truth_wh=energies[-1],
        seen_wh=max((energy for _, energy, is_honest in told if is_honest), default=0.0),
        is_honest_stop=stop_kind == "honest" and "shift" not in chosen,
        resolution_wh=resolution,
        faults={*chosen, stop_kind},
    )


def _lasting(random: Random, faults: set[str]) -> set[str]:
    """Keep one lasting fault: after two, nobody can say what was consumed."""
    lasting = sorted(faults & {"reset", "rollover", "shift"})
    kept = faults - set(lasting[1:])
    # A spike can lead back to where the register was before another zero.
    return kept - {"spike"} if "shift" in kept else kept


Told = tuple[Sample, float, bool]
"""A sample, the energy at its time, and whether it says what the register read."""


def _cut(random: Random, told: list[Told], faults: set[str]) -> list[Told]:
    """Leave samples out; the first one stays, without which a reset is a session's own register."""
    if random.random() < 0.3:
        told = told[: random.randrange(len(told) + 1)]
    told = [each for index, each in enumerate(told) if index == 0 or random.random() < 0.8]
    while "spike" in faults and told and not told[-1][2]:
        told.pop()  # nothing that follows contradicts it
    return told


def _honest_meter(random: Random, power_w: float) -> tuple[list[float], list[float]]:
    """Return times (s) and energies (Wh) from the start to the end."""
    times, energies = [0.0], [0.0]
    step_s = random.choice([10, 30, 60, 300, 900])
    for _ in range(random.randint(1, 40)):
        duration = step_s * random.choice([1, 1, 1, 1, random.uniform(0.5, 4)])
        power = power_w * random.choice([0, 0.3, 0.9, 1.0, random.random()])
        times.append(times[-1] + duration)
        energies.append(energies[-1] + power * duration / 3600)
    return times, energies


def _register(random: Random, energies: list[float], faults: set[str]) -> list[float]:
    """Return what a register reads; a fall is never hidden by what is consumed until the next reading."""
    total = energies[-1]
    zero = random.choice([0.0, 150_234.0, 4_200_000.0, 16_001_000.5, random.uniform(0, 9e7)])
    if faults & {"reset", "shift", "glitches", "spike"}:
        zero = max(zero, 3 * total + 5_000)
    if "rollover" in faults:
        modulus = random.choice([each for each in ROLLOVERS_WH if each > 20 * total])
        zero = modulus - random.uniform(0, total)
        return [(zero + energy) % modulus for energy in energies]
    place = random.randrange(2, max(len(energies), 3))
    if "reset" in faults:
        before = energies[place - 1]
        return [zero + energy if index < place else energy - before for index, energy in enumerate(energies)]
    if "shift" in faults:
        other = random.choice([zero * random.uniform(0.05, 0.6), zero + random.uniform(2e7, 9e7)])
        return [(zero if index < place else other) + energy for index, energy in enumerate(energies)]
    return [zero + energy for energy in energies]


def _with_nonsense(random: Random, registers: list[float], faults: set[str]) -> list[float]:
    """Return what a register is told to read: single samples are nonsense."""
    reported = list(registers)
    if "glitches" in faults and len(reported) > 3:
        for _ in range(random.randint(1, 2)):
            index = random.randrange(2, len(reported) - 1)
            reported[index] = random.choice([0, ABSURD_WH, -1, reported[0] * random.uniform(0, 0.9)])
    if "spike" in faults and len(reported) > 3:
        reported[random.randrange(1, len(reported) - 2)] += random.uniform(1_000, 60_000)
    return reported


def _stop(kind: str, registers: list[float]) -> float | None:
    start, stop = registers[0], registers[-1]
    return {"honest": stop, "none": None, "zero": 0.0, "minus_one": -1.0, "start": start, "below": start * 0.5}[kind]


def _flow(random: Random, times: list[float], energies: list[float]) -> list[Sample]:
    """Return power over time, or intervals."""
    steps = zip(pairwise(times), pairwise(energies), strict=True)
    if random.random() < 0.5:
        return [Sample(at(end), after - before, measurand=INTERVAL) for (_, end), (before, after) in steps]
    return [
        Sample(at(when), 3600 * (after - before) / (end - begin), measurand=POWER, unit="W")
        for (begin, end), (before, after) in steps
        for when in (begin, end)
    ]


def _beside(random: Random, samples: list[Sample]) -> list[Sample]:
    """Return what a charger tells beside its register."""
    found: list[Sample] = []
    if random.random() < 0.3:
        zero = random.uniform(0, 1e8)
        found += [each._replace(location="Inlet", value=zero + 1.05 * each.value) for each in samples]
    if random.random() < 0.3:
        found += [each._replace(phase=phase, value=each.value / 3) for each in samples for phase in ("L1", "L2", "L3")]
    if random.random() < 0.2:
        found += [each._replace(unit="kW", value=7400.0) for each in samples]
        found += [each._replace(unit="V", value=231.0) for each in samples]
    if random.random() < 0.3:
        found += samples
    return found


def _rounded(value: float, resolution: float) -> float:
    return round(value // resolution * resolution, 3)
