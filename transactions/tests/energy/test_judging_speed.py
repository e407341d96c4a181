"""What judging costs: a message is judged while a charger waits. Bounds are some times what was measured."""

import time
from collections.abc import Callable

from tests.support.energy_evidence import at, evidence, sample, watts
from transactions.energy.evidence import Evidence
from transactions.energy.judging import conclude, judge
from transactions.energy.tally import Tally


def cpu_s(function: Callable[[], object], *, count: int) -> float:
    """Return the CPU time of one call, the best of five rounds."""
    rounds = []
    for _ in range(5):
        begun = time.process_time()
        for _ in range(count):
            function()
        rounds.append((time.process_time() - begun) / count)
    return min(rounds)


def test_verdict_of_a_thousand_samples_takes_milliseconds() -> None:
    samples = [each for n in range(500) for each in (sample(60 * n, 150_000.0 + 100 * n), watts(60 * n, 6000.0))]
    given = evidence(150_000, *samples, begun=0, ended=30_000, stop=199_900)
    assert cpu_s(lambda: judge(given), count=4) < 0.005


def test_running_message_takes_microseconds() -> None:
    tally = Tally(started_at=at(0), meter_start_wh=150_000)
    running = Evidence(at(0), 150_000)
    numbers = iter(range(1_000_000))

    def one_message() -> None:
        n = next(numbers)
        tally.add((sample(60 * n, 150_000.0 + 100 * n), watts(60 * n, 6000.0)))
        conclude(tally, running)

    def reload() -> None:
        Tally.load(tally.dump())

    assert cpu_s(one_message, count=500) < 0.000_100
    assert cpu_s(reload, count=500) < 0.000_050
