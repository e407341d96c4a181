"""The rules by which evidence becomes a verdict; docs/energy.md has them as a table."""

from decimal import Decimal

import pytest

from tests.support.energy_evidence import begin, end, evidence, sample, watts
from transactions.energy.evidence import INTERVAL, Evidence, Sample
from transactions.energy.judging import judge
from transactions.energy.verdict import Figure, Method

HOUR = 3600
TENTHS = range(0, HOUR, 360)


def hour(per_hour_wh: float, *, zero: float = 150_000, **words) -> list[Sample]:
    """Return a register that rises for an hour until now, ten samples of it."""
    return [sample(seconds - HOUR, zero + per_hour_wh * seconds / HOUR, **words) for seconds in TENTHS]


def power(value: float, seconds=range(0, HOUR + 1, 360)) -> list[Sample]:
    return [watts(each - HOUR, value) for each in seconds]


def intervals(value: float) -> list[Sample]:
    return [sample(seconds + 360 - HOUR, value, measurand=INTERVAL) for seconds in TENTHS]


def lasted_an_hour(start, *samples: Sample, **others) -> Evidence:
    return evidence(start, *samples, begun=-HOUR, **others)


# Name → evidence, energy, method, marks.
RULES: dict[str, tuple[Evidence, float | None, str, set[str]]] = {
    # registers and samples agree
    "registers alone": (lasted_an_hour(1000, stop=8000), 7000, "registers", set()),
    "registers with samples": (lasted_an_hour(150_000, *hour(7000), stop=157_000), 7000, "registers", set()),
    "registers of the same value": (lasted_an_hour(1000, sample(-30, 1000), stop=1000), 0, "registers", set()),
    "registers and samples within 2 %": (
        lasted_an_hour(150_000, *hour(22_000), sample(-1, 172_000), stop=171_600), 21_600, "registers", set()),
    "registers and samples within 100 Wh": (
        lasted_an_hour(150_000, *hour(2000), sample(-1, 152_000), stop=151_910), 1910, "registers", set()),
    "registers in whole kWh": (
        lasted_an_hour(150_000, *hour(7900, zero=150_600), stop=158_000), 8000, "registers", set()),
    "what the gap to the stop allows": (
        lasted_an_hour(150_000, sample(-3500, 150_200), max_power_w=22_000, stop=170_000), 20_000, "registers", set()),
    "fractions of a Wh": (
        lasted_an_hour(Decimal("1000.125"), sample(-30, 1500.5), stop=Decimal("1501.250")), 501.125, "registers",
        set()),
    "the upper end of int8": (
        lasted_an_hour(2**63 - 5001, stop=2**63 - 1), 5000, "registers", set()),
    # registers that give way
    "stop of 0": (lasted_an_hour(150_000, *hour(7000), stop=0), 6300, "samples", {"meter_regression", "stop_ignored"}),
    "stop of -1": (
        lasted_an_hour(150_000, *hour(7000), stop=-1), 6300, "samples", {"meter_regression", "stop_ignored"}),
    "stop at the lower end of int8": (
        lasted_an_hour(150_000, *hour(7000), stop=-(2**63)), 6300, "samples", {"meter_regression", "stop_ignored"}),
    "stop below the start": (
        lasted_an_hour(150_000, *hour(7000), stop=149_000), 6300, "samples", {"meter_regression", "stop_ignored"}),
    "stop below the last sample": (
        lasted_an_hour(150_000, *hour(7000), stop=153_000), 6300, "samples", {"stop_ignored"}),
    "stop that repeats the start": (
        lasted_an_hour(150_000, *hour(7000), stop=150_000), 6300, "samples", {"stop_ignored"}),
    "stop that repeats the start of a session register": (
        lasted_an_hour(150_000, *hour(7000, zero=0), stop=150_000), 6300, "samples", {"stop_ignored"}),
    "stop above what can be": (
        lasted_an_hour(150_000, *hour(7000), max_power_w=22_000, stop=190_000), 6300, "samples",
        {"implausible_energy", "stop_ignored"}),
    "stop of 0 and no sample": (
        lasted_an_hour(150_000, stop=0), None, "unknown", {"energy_unknown", "meter_regression", "stop_ignored"}),
    "stop below the start and no sample": (
        lasted_an_hour(150_000, stop=100_000), None, "unknown",
        {"energy_unknown", "meter_regression", "stop_ignored"}),
    "start and stop of 0, samples that rose": (
        lasted_an_hour(0, *hour(7000, zero=0), stop=0), 6300, "samples", {"stop_ignored"}),
    "stop that repeats the start, and a session register that is near it": (
        lasted_an_hour(10_000, sample(-3000, 3000), sample(-2000, 5000), sample(-1000, 8000), stop=10_000), 8000,
        "samples", {"stop_ignored"}),
    "stop of a register that is told in turn": (
        lasted_an_hour(150_000, *hour(7000), *hour(7000, zero=9_000_000, context="Sample.Clock"), stop=9_007_000),
        6300, "samples", {"implausible_energy", "stop_ignored"}),
    # registers and samples disagree
    "two figures that both can be": (
        lasted_an_hour(150_000, *hour(7000), max_power_w=150_000, stop=172_000), 22_000, "registers",
        {"registers_disagree"}),
    "session register against registers": (
        lasted_an_hour(150_000, *hour(7000, zero=0), stop=153_000), 3000, "registers", {"registers_disagree"}),
    # the stop's register goes on from samples of another zero
    "reset, then the stop": (
        lasted_an_hour(150_000, *hour(7000), sample(-200, 10), sample(-100, 200), stop=300), 6600, "mixed",
        {"meter_regression", "register_reset"}),
    "reset, one sample, then the stop": (
        lasted_an_hour(150_000, *hour(7000), sample(-100, 200), stop=300), 6600, "mixed",
        {"meter_regression", "register_reset"}),
    "reset, then a stop that goes on from before": (
        lasted_an_hour(1000, *hour(7000, zero=1000), sample(-300, 10), sample(-200, 90), sample(-100, 200),
                       stop=12_000), 11_000, "registers",
        {"registers_disagree", "meter_regression", "register_reset"}),
    "stop of a session register": (
        lasted_an_hour(150_000, *hour(7000, zero=0), stop=6500), 6500, "mixed", {"meter_regression"}),
    "stop alone after samples": (
        lasted_an_hour(None, *hour(7000), stop=157_000), 7000, "mixed", {"start_unknown"}),
    "stop alone after one sample": (
        lasted_an_hour(None, sample(-1800, 153_000), stop=157_000), 4000, "mixed", {"start_unknown"}),
    # the start's register
    "start of -1 and a begin sample": (
        lasted_an_hour(-1, begin(-HOUR, 150_000), *hour(7000), stop=157_000), 7000, "registers", set()),
    "start of 0 and a begin sample": (
        lasted_an_hour(0, begin(-HOUR, 150_000), *hour(7000), stop=157_000), 7000, "registers", set()),
    "start of 0 and a lifetime's register": (
        lasted_an_hour(0, *hour(7000, zero=16_000_000), stop=16_007_000), 7000, "mixed", {"start_unknown"}),
    "session registers around samples that begin late": (
        lasted_an_hour(0, *hour(7000, zero=16_000_000)[3:], stop=7050), 7050, "registers", set()),
    "session registers around a lifetime's register": (
        lasted_an_hour(0, *hour(7000, zero=16_000_000), stop=7000), 7000, "registers", set()),
    "session register at the start, a lifetime's in the samples": (
        lasted_an_hour(0, *hour(7000, zero=16_000_000)), 6300, "samples", {"start_unknown"}),
    "lifetime's registers around samples of a third zero": (
        lasted_an_hour(16_000_000, *hour(7000, zero=9_000_000), stop=16_007_000), 7000, "registers", set()),
    "start and begin sample that differ": (
        lasted_an_hour(148_000, begin(-HOUR, 150_000), *hour(7000), stop=157_000), 7000, "registers",
        {"registers_disagree"}),
    "no start, a session register": (
        lasted_an_hour(None, *hour(7000, zero=0)), 6300, "samples", {"start_unknown"}),
    "no start, a lifetime's register": (
        lasted_an_hour(None, *hour(7000)), 6300, "samples", {"start_unknown"}),
    "no start, one sample": (
        lasted_an_hour(None, sample(-1800, 153_000), ended=0), None, "unknown", {"energy_unknown"}),
    "no start, one stop": (
        lasted_an_hour(None, stop=157_000), None, "unknown", {"energy_unknown", "stop_ignored"}),
    # Transaction.End
    "end sample behind samples": (
        lasted_an_hour(150_000, *hour(7000), end(0, 157_000), ended=0), 7000, "registers", set()),
    "end sample in the place of a stop of 0": (
        lasted_an_hour(150_000, *hour(7000), end(0, 157_000), stop=0), 7000, "samples",
        {"meter_regression", "stop_ignored"}),
    "end sample before the stop, and a stop of more": (
        lasted_an_hour(150_000, *hour(7000), end(0, 157_000), stop=159_000), 9000, "registers",
        {"registers_disagree"}),
    "end sample alone, and a stop of more": (
        evidence(100, end(0, 9100), stop=12_000), 11_900, "registers", {"registers_disagree"}),
    "end sample that repeats the start while it runs": (
        lasted_an_hour(150_000, *hour(7000), end(-60, 150_000)), 6300, "samples", set()),
    "end sample of 0": (
        lasted_an_hour(150_000, *hour(7000), end(0, 0), ended=0), 6300, "samples", {"meter_regression"}),
    "end sample of 0 before an honest stop": (
        lasted_an_hour(150_000, *hour(7000), end(0, 0), stop=157_000), 7000, "registers",
        {"meter_regression"}),
    # while it runs
    "nothing told yet": (lasted_an_hour(150_000), 0, "registers", set()),
    "nothing told yet, no start": (lasted_an_hour(None), None, "unknown", {"energy_unknown"}),
    "samples": (lasted_an_hour(150_000, *hour(7000)), 6300, "samples", set()),
    "a glitch last": (lasted_an_hour(150_000, *hour(7000), sample(0, 7)), 6300, "samples", {"meter_regression"}),
    "power alone, while it runs": (lasted_an_hour(None, *power(7000)), 7000, "estimated", {"energy_estimated"}),
    "clock put back by an hour": (
        lasted_an_hour(150_000, *hour(3000), *[each._replace(value=each.value + 3000) for each in hour(3000)],
                       stop=156_000), 6000, "registers", {"register_glitch"}),
    # an end without a register
    "ended with samples": (lasted_an_hour(150_000, *hour(7000), ended=0), 6300, "samples", set()),
    "ended without any": (lasted_an_hour(150_000, ended=0), None, "unknown", {"energy_unknown"}),
    "ended, 0 of another zero": (
        lasted_an_hour(150_000, sample(-30, 0), sample(-20, 0), ended=0), None, "unknown", {"energy_unknown"}),
    "ended, next start told": (
        lasted_an_hour(150_000, ended=0, next_start_wh=157_000), 7000, "estimated", {"energy_estimated"}),
    "ended, next start below": (
        lasted_an_hour(150_000, ended=0, next_start_wh=0), None, "unknown", {"energy_unknown"}),
    "ended, samples and next start": (
        lasted_an_hour(150_000, *hour(7000), ended=0, next_start_wh=157_000), 6300, "samples", set()),
    "ended, next start below the samples": (
        lasted_an_hour(150_000, sample(-1800, 180_000), ended=0, next_start_wh=157_000), 7000, "estimated",
        {"registers_disagree"}),
    # the last resort
    "intervals alone": (
        lasted_an_hour(None, *intervals(700), ended=0), 7000, "estimated", {"energy_estimated"}),
    "power alone": (lasted_an_hour(None, *power(7000), ended=0), 7000, "estimated", {"energy_estimated"}),
    "power beside a stop that is not believed": (
        lasted_an_hour(150_000, *power(7000), stop=0), 7000, "estimated",
        {"energy_estimated", "meter_regression", "stop_ignored"}),
    "next start before power": (
        lasted_an_hour(150_000, *power(6500), ended=0, next_start_wh=157_000), 7000, "estimated",
        {"energy_estimated"}),
    # what was known
    "known, samples gone": (lasted_an_hour(150_000, ended=0, known_wh=6300), 6300, "samples", set()),
    "known, stop of 0": (
        lasted_an_hour(150_000, stop=0, known_wh=6300), 6300, "samples", {"meter_regression", "stop_ignored"}),
    "known, stop that repeats the start": (
        lasted_an_hour(150_000, stop=150_000, known_wh=6300), 6300, "samples", {"stop_ignored"}),
    "known, honest stop": (
        lasted_an_hour(150_000, stop=157_000, known_wh=6300), 7000, "registers", set()),
    "known, stop of less": (
        lasted_an_hour(150_000, stop=153_000, known_wh=6300), 3000, "registers", {"registers_disagree"}),
    "known, samples there": (
        lasted_an_hour(150_000, *hour(7000), known_wh=100), 6300, "samples", set()),
    # units
    "kWh said as Wh, by power": (
        lasted_an_hour(150, *hour(7, zero=150), *power(7000), stop=157), 7, "registers", {"unit_suspect"}),
    "kWh said as Wh, by intervals": (
        lasted_an_hour(150, *hour(7, zero=150), *intervals(700), stop=157), 7, "registers", {"unit_suspect"}),
    "Wh said as kWh, by power": (
        lasted_an_hour(150_000_000, *power(7000), stop=157_000_000, max_power_w=22_000), 7000, "estimated",
        {"unit_suspect", "implausible_energy", "energy_estimated", "stop_ignored"}),
    "two registers, a thousandfold apart by chance": (
        lasted_an_hour(4_200_000, sample(-30, 4200, context="Sample.Clock"), sample(-30, 4_204_200)), 4200, "samples",
        set()),
    "begin in kWh": (
        lasted_an_hour(150, *hour(7000), stop=157_000), 7000, "mixed", {"unit_suspect", "start_unknown"}),
    "begin in kWh, while it runs": (
        lasted_an_hour(150, *hour(7000)), 6300, "samples", {"unit_suspect", "start_unknown"}),
    # power and registers
    "power against registers that stand still": (
        lasted_an_hour(150_000, sample(-30, 150_000), *power(7000), stop=150_000), 0, "registers",
        {"registers_disagree"}),
    "no power against registers": (
        lasted_an_hour(150_000, *power(200), stop=157_000), 7000, "registers", {"registers_disagree"}),
    "power in kW said as W": (lasted_an_hour(150_000, *power(7), stop=157_000), 7000, "registers", set()),
    "power over a part": (
        lasted_an_hour(150_000, *power(20, seconds=(0, 360)), stop=157_000), 7000, "registers", set()),
    "power that cannot be": (lasted_an_hour(150_000, *power(9e6), stop=157_000), 7000, "registers", set()),
    "power that agrees": (lasted_an_hour(150_000, *power(7500), stop=157_000), 7000, "registers", set()),
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_rule(name: str) -> None:
    given, energy_wh, method, marks = RULES[name]
    verdict = judge(given)
    assert (verdict.energy_wh, verdict.method, set(verdict.marks)) == (energy_wh, method, marks)


def test_both_figures_are_told() -> None:
    verdict = judge(RULES["two figures that both can be"][0])
    assert verdict.contradictions == (Figure("samples", 6300),)
    assert verdict.rests_on == ("meter_start", "samples", "meter_stop")


def test_begin_sample_that_differs_is_told() -> None:
    verdict = judge(RULES["start and begin sample that differ"][0])
    assert verdict.rests_on == ("begin_sample", "samples", "meter_stop")
    assert verdict.contradictions == (Figure("meter_start", 9000),)


def test_correction_counts_and_the_judged_figure_is_told() -> None:
    verdict = judge(lasted_an_hour(150_000, *hour(7000), stop=0, corrected_wh=6900))
    assert (verdict.energy_wh, verdict.method, verdict.rests_on, verdict.marks) == (
        6900, Method.CORRECTED, ("staff",), (),
    )  # fmt: skip
    assert verdict.contradictions == (Figure("samples", 6300), Figure("registers", -150_000))


def test_correction_of_what_is_unknown() -> None:
    verdict = judge(lasted_an_hour(None, corrected_wh=6900))
    assert (verdict.energy_wh, verdict.method, verdict.contradictions) == (6900, "corrected", ())


@pytest.mark.parametrize(
    ("name", "register_wh"),
    [
        ("registers alone", 8000),
        ("samples", 156_300),
        ("stop of 0", 156_300),
        ("stop of a session register", 156_500),
        ("session register against registers", 153_000),
        ("reset, then the stop", 300),
        ("ended, next start told", 157_000),
        ("nothing told yet", 150_000),
        ("ended without any", None),
    ],
)
def test_register_at_the_end_that_is_believed(name: str, register_wh: float | None) -> None:
    verdict = judge(RULES[name][0])
    assert verdict.register_wh == register_wh


def test_stop_before_its_start_is_held_against_a_day() -> None:
    assert judge(evidence(1000, begun=60, ended=0, stop=60_000)).energy_wh == 59_000


def test_times_of_receipt_are_held_against_a_day() -> None:
    untimed = [sample(-1, value, is_timed=False) for value in (30_000, 60_000, 90_000)]
    given = evidence(1000, *untimed, begun=-1, stop=90_500, is_timed=False, max_power_w=22_000)
    assert (judge(given).energy_wh, judge(given).marks) == (89_500, ())
    assert judge(given._replace(meter_stop_wh=9_000_000)).energy_wh == 89_000
