"""The parent's hold on the load: chargers in processes of their own, opened, run, counted."""

import math
import multiprocessing
import time
from array import array
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from types import TracebackType
from typing import Any, Self

from bench.load import Ended, work
from bench.messages import Facts

OPEN_TIMEOUT_S = 120.0
PARALLEL_OPENINGS = 40
ANSWER_TIMEOUT_S = 300.0

_context = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Latency:
    """Percentiles in milliseconds."""

    p50: float
    p99: float
    max: float


def latency(values: "array[float] | list[float]") -> Latency:
    ordered = sorted(values) or [math.nan]
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * share))] for share in (0.5, 0.99))
    return Latency(*(round(value * 1000, 3) for value in (p50, p99, ordered[-1])))


@dataclass(frozen=True)
class Run:
    """What the measured part of a run brought. `timeline`: answers in each of its seconds."""

    seconds: float
    messages: int
    latency: Latency
    by_action: dict[str, int]
    timeline: list[int]
    longest_gap_s: float
    unanswered: int
    generator_cpu_s: float

    @property
    def per_second(self) -> float:
        return self.messages / self.seconds


class Chargers:
    """`stations` chargers named <prefix>00000 and up, on a server of this machine until the end of the block.

    :param path: in front of the identity.
    :param processes: load processes; one is enough for 15,000 messages a second.
    """

    def __init__(self, port: int, *, stations: int, prefix: str, path: str = "/ocpp/", processes: int = 1) -> None:
        self.stations = stations
        self.prefix = prefix
        self._pipes: list[Any] = []
        self._processes = []
        for index in range(processes):
            ours, theirs = _context.Pipe()
            numbers = range(index, stations, processes)
            process = _context.Process(target=work, args=(theirs, port, path, prefix, numbers), daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    @property
    def identities(self) -> list[str]:
        return [f"{self.prefix}{number:05d}" for number in range(self.stations)]

    def open(self, *, parallel: int = PARALLEL_OPENINGS, timeout_s: float = OPEN_TIMEOUT_S) -> list[float]:
        """Connect and boot whoever is not connected; return how many seconds after now each was served.

        :param parallel: how many at a time; all of them make a storm.
        """
        begun = time.monotonic()
        served = self._ask("open", max(1, parallel // len(self._pipes)), timeout_s)
        return sorted(at - begun for each in served for at in each)

    def run(
        self,
        workload: str,
        *,
        seconds: float,
        warm_up_s: float = 0.5,
        rate: float | None = None,
        at_edges: Callable[[], None] = lambda: None,
    ) -> Run:
        """Load for a while and return what was answered in the measured part of it.

        :param rate: messages a second over all chargers; None for as fast as answers come.
        :param at_edges: called when the measured part begins and when it ends.
        """
        starts_at = time.monotonic() + warm_up_s
        stops_at = starts_at + seconds
        self._tell("run", workload, stops_at, self._share(rate))
        time.sleep(warm_up_s)
        at_edges()
        time.sleep(max(0.0, stops_at - time.monotonic()))
        at_edges()
        return _measured(self._hear(), starts_at, seconds, warm_up_s)

    def begin(self, workload: str, *, rate: float | None = None) -> None:
        """Load until finish(), for what is done meanwhile to be seen in its numbers."""
        self._began_at = time.monotonic()
        self._tell("run", workload, math.inf, self._share(rate))

    def finish(self) -> Run:
        """End what begin() began, and return all of it."""
        seconds = time.monotonic() - self._began_at
        self._tell("stop")
        return _measured(self._hear(), self._began_at, seconds, 0.0)

    def drop(self, share: float) -> int:
        """Lose a share of the connections without a farewell; return how many."""
        counts = [int(self.stations * share / len(self._pipes))] * len(self._pipes)
        self._ask("drop", counts[0])
        return sum(counts)

    def facts(self) -> tuple[list[Facts], Counter[str]]:
        """Return what was acknowledged to each charger, and what went wrong, since the beginning."""
        heard = self._ask("facts")
        counts: Counter[str] = Counter()
        for _, some in heard:
            counts.update(some)
        return [each for facts, _ in heard for each in facts], counts

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for pipe, process in zip(self._pipes, self._processes, strict=True):
            try:
                pipe.send(("close", ()))
            except OSError:
                pass
            process.join(5)
            if process.is_alive():
                process.kill()
                process.join()

    def _share(self, rate: float | None) -> float | None:
        return None if rate is None else rate / len(self._pipes)

    def _tell(self, name: str, *arguments: Any) -> None:
        for pipe in self._pipes:
            pipe.send((name, arguments))

    def _hear(self) -> list[Any]:
        heard = []
        for pipe in self._pipes:
            if not pipe.poll(ANSWER_TIMEOUT_S):
                raise TimeoutError("the load generator does not answer")
            heard.append(pipe.recv())
        return heard

    def _ask(self, name: str, *arguments: Any) -> list[Any]:
        self._tell(name, *arguments)
        return self._hear()


def _measured(ended: list[Ended], starts_at: float, seconds: float, warm_up_s: float) -> Run:
    latencies: array[float] = array("d")
    by_action: Counter[str] = Counter()
    timeline = [0] * math.ceil(seconds)
    instants = [starts_at, starts_at + seconds]
    for each in ended:
        for at, took, action in zip(each.ended_at, each.latencies, each.actions, strict=True):
            if starts_at <= at < starts_at + seconds:
                latencies.append(took)
                by_action[each.names[action]] += 1
                timeline[int(at - starts_at)] += 1
                instants.append(at)
    instants.sort()
    return Run(
        seconds=seconds,
        messages=len(latencies),
        latency=latency(latencies),
        by_action=dict(by_action),
        timeline=timeline,
        longest_gap_s=max(later - earlier for earlier, later in pairwise(instants)),
        unanswered=sum(each.unanswered for each in ended),
        generator_cpu_s=sum(each.cpu_s for each in ended) * seconds / (seconds + warm_up_s),
    )
