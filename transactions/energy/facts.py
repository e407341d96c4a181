"""What a transaction's evidence comes to before it is weighed: start, samples, stop and how long it took."""

from typing import NamedTuple

from transactions.energy.counter import Counter
from transactions.energy.evidence import Evidence
from transactions.energy.flows import Flow, flow_of
from transactions.energy.line import Kind
from transactions.energy.quantities import (
    CLOCK_SLACK_MS,
    STEP_MWH,
    UNTIMED_SLACK_MS,
    apart,
    limit_w,
    plausible_mwh,
    to_ms,
    to_mwh,
)
from transactions.energy.streams import Start
from transactions.energy.tally import Tally

GAP_MS = 60_000
"""Added to the time between the last sample and the stop: times have seconds, and a stop comes after its end."""

FEW_SAMPLES = 3


class Facts(NamedTuple):
    """The evidence of one transaction; energies in mWh, times in ms.

    `counter` has counted the samples, and behind them Transaction.End where there is one, None without either;
    `sources` are those of its values. `between` is the stop's register less the start's, `most` what it may be.
    """

    start: Start
    counter: Counter | None
    sources: tuple[str, ...]
    is_open: bool
    stop: int | None
    stopped_at: int
    duration: int
    between: int | None
    most: int
    gap_w: int
    known: int | None
    next_start: int | None
    flow: Flow | None

    @property
    def is_between_plausible(self) -> bool:
        return self.between is not None and 0 <= self.between <= self.most

    def agree(self, registers: int, counted: int) -> bool:
        """Return whether the energy by registers is the counted one, to 2 % or 100 Wh, a step of registers in whole
        kWh, and what the connector may have given while no sample came.
        """
        limit = apart(max(registers, counted))
        if registers and self.stop is not None and self.stop % STEP_MWH == registers % STEP_MWH == 0:
            limit += STEP_MWH
        gap = 0 if "end_sample" in self.sources else GAP_MS
        if self.counter is not None:
            gap += max(self.stopped_at - self.counter.at, 0)
            lines = self.counter.lines
            if len(lines) > 1 and lines[1].kind & Kind.ELSEWHERE:
                gap += lines[1].first_at - lines[0].at
        return -limit <= registers - counted <= limit + self.gap_w * gap // 3600


def facts_of(tally: Tally, evidence: Evidence) -> Facts:
    """Return what the evidence comes to, its samples from the tally."""
    stop = to_mwh(evidence.meter_stop_wh)
    is_open = evidence.stopped_at is None and stop is None
    start, counter, sources = _counted(tally, is_open)
    begun_at = tally.begun_at
    last_at = begun_at if counter is None else max(counter.at, begun_at)
    stopped_at = last_at if evidence.stopped_at is None else to_ms(evidence.stopped_at)
    is_timed = evidence.is_timed and stopped_at >= begun_at
    duration = max(stopped_at, last_at) - begun_at
    power_w = limit_w(evidence.max_power_w)
    return Facts(
        start=start,
        counter=counter,
        sources=sources,
        is_open=is_open,
        stop=stop,
        stopped_at=stopped_at,
        duration=duration,
        between=stop - start.mwh if stop is not None and start.mwh is not None and start.source else None,
        most=plausible_mwh(power_w, duration, CLOCK_SLACK_MS if is_timed else UNTIMED_SLACK_MS),
        gap_w=power_w if counter is None else _gap_w(counter),
        known=to_mwh(evidence.known_wh),
        next_start=to_mwh(evidence.next_start_wh),
        flow=flow_of(tally.intervals, tally.powers),
    )


def _gap_w(counter: Counter) -> int:
    """Return what may have been given while no sample came; few samples do not say what is usual."""
    is_known = counter.lines and counter.lines[-1].samples >= FEW_SAMPLES
    return counter.limits.usual_w(counter.limits.peak_w) if is_known else counter.limits.power_w


def _counted(tally: Tally, is_open: bool) -> tuple[Start, Counter | None, tuple[str, ...]]:
    """Return the start, the counter of the samples and the end behind them, and what it rests on."""
    chosen = tally.chosen()
    if chosen is None:
        return tally.start(None, None), None, ()
    ends = [each for each in tally.registers.values() if each.end is not None]
    ending = chosen if chosen.end is not None else min(ends, key=lambda each: each.place.rank, default=None)
    end = None if ending is None else ending.end
    if chosen.counter is None:
        start = tally.start(chosen.place, end)
        counter = tally.new_counter(start)
        sources: tuple[str, ...] = ()
    else:
        start, counter = chosen.start, chosen.counter
        sources = ("samples",)
    # The end of another place counts only where it goes on from here, and so does one of a transaction that runs.
    if end is not None and ((ending is chosen and not is_open) or counter.goes_on(*end)):
        counter = counter.copy()
        counter.feed(max(end[0], counter.at), end[1])
        if counter.register == end[1]:
            sources = (*sources, "end_sample")
    return start, counter, sources
