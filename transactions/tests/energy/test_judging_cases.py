"""What public reports of wrong energies come to; each is named after its report's fault."""

import pytest

from tests.support.energy_evidence import begin, end, evidence, sample, watts
from transactions.energy.evidence import Evidence
from transactions.energy.judging import judge

ABSURD = 2**32 - 1

RUNNING_BESIDE_BEGIN = (sample(-30, 156_190), begin(-30, 150_000), sample(-20, 156_560), begin(-20, 150_000))
SESSION = (sample(-40, 110), sample(-30, 230), sample(-20, 350))
KWH_AS_WH = [
    each
    for minutes in range(0, 60, 10)
    for each in (watts(60 * minutes - 3600, 9400), sample(60 * minutes - 3600, 410 + 0.15 * minutes))
]
WH_AFTER_BEGIN_IN_KWH = [
    each
    for minutes in range(0, 60, 10)
    for each in (watts(60 * minutes - 3600, 9400), sample(60 * minutes - 3600, 410_000 + 150 * minutes))
]

CASES: dict[str, tuple[Evidence, float | None, str, set[str]]] = {
    "01 begin sample behind the register": (
        evidence(150_000, *RUNNING_BESIDE_BEGIN), 6560, "samples", set()),
    "01 superseded": (
        evidence(150_000, *RUNNING_BESIDE_BEGIN, ended=-10, next_start_wh=156_660), 6560, "samples", set()),
    "03 grid side behind the outlet": (
        evidence(1000, sample(-30, 1500), sample(-30, 98_765_432, location="Inlet")), 500, "samples", set()),
    "03 in the other order": (
        evidence(1000, sample(-30, 98_765_432, location="Inlet"), sample(-30, 1500)), 500, "samples", set()),
    "04 register with a phase": (
        evidence(1000, sample(-30, 1800.0, phase="L1", location="Body", unit="kWh")), 800, "samples", set()),
    "04 three phases": (
        evidence(1000, *[sample(-30, 600.0, phase=f"L{number}") for number in (1, 2, 3)]), 800, "samples", set()),
    "05 samples of no transaction": (evidence(1000, sample(-30, 4000)), 3000, "samples", set()),
    "06 session register": (evidence(4_200_000, *SESSION), 350, "samples", set()),
    "06 one value of it": (evidence(4_200_000, *SESSION[:1]), 110, "samples", set()),
    "06 with a stop": (evidence(4_200_000, *SESSION, stop=4_200_400), 400, "registers", set()),
    "06 superseded": (evidence(4_200_000, *SESSION, ended=-5, next_start_wh=4_200_400), 350, "samples", set()),
    "07 begin sample instead of meterStart": (
        evidence(None, begin(-50, 7000), sample(-30, 9500), stop=10_000), 3000, "registers", set()),
    "08 stop with register 0": (
        evidence(100_000, sample(-30, 112_300), stop=0), 12_300, "samples", {"meter_regression", "stop_ignored"}),
    "08 stop with register -1": (
        evidence(100_000, sample(-30, 112_300), stop=-1), 12_300, "samples", {"meter_regression", "stop_ignored"}),
    "09 stop repeats the start": (
        evidence(1000, sample(-30, 5000), stop=1000), 4000, "samples", {"stop_ignored"}),
    "10 end sample instead of meterStop": (evidence(100, end(0, 9100), ended=0), 9000, "registers", set()),
    "10 end sample against meterStop": (
        evidence(25_000, end(0, 41_000), stop=25_000), 16_000, "samples", {"stop_ignored"}),
    "11 rollover": (
        evidence(999_950, sample(-40, 999_990), sample(-20, 20), stop=120), 170, "mixed",
        {"meter_regression", "register_rollover"}),
    "11 rollover while it runs": (
        evidence(999_950, sample(-40, 999_990), sample(-20, 20)), 70, "samples",
        {"meter_regression", "register_rollover"}),
    "11 rollover without samples": (
        evidence(999_950, stop=120), 170, "registers", {"meter_regression", "register_rollover"}),
    "12 absurd sample while it runs": (
        evidence(1000, sample(-30, ABSURD)), 0, "registers", {"implausible_energy"}),
    "12 absurd sample, then nothing": (
        evidence(1000, sample(-30, ABSURD), ended=-10), None, "unknown", {"implausible_energy", "energy_unknown"}),
    "12 absurd sample, then the next start": (
        evidence(1000, sample(-30, ABSURD), ended=-10, next_start_wh=1500), 500, "estimated",
        {"implausible_energy", "energy_estimated"}),
    "12 absurd sample, then an honest stop": (
        evidence(1000, sample(-30, ABSURD), stop=1500), 500, "registers", {"implausible_energy"}),
    "12 2 GWh in a minute": (
        evidence(1000, stop=2_000_000_000), None, "unknown",
        {"implausible_energy", "energy_unknown", "stop_ignored"}),
    "12 939 kWh in five": (
        evidence(1000, sample(-30, 1800), begun=-300, stop=940_000), 800, "samples",
        {"implausible_energy", "stop_ignored"}),
    "13 a glitch comes last": (
        evidence(50_000, sample(-40, 58_000), sample(-20, 0), ended=-20), 8000, "samples", {"meter_regression"}),
    "13 an absurd one comes last": (
        evidence(50_000, sample(-40, 58_000), sample(-20, ABSURD), ended=-20), 8000, "samples",
        {"implausible_energy"}),
    "15 kWh said as Wh": (evidence(410, *KWH_AS_WH, begun=-3600, stop=418), 8, "registers", {"unit_suspect"}),
    "15 begin in kWh": (
        evidence(410, *WH_AFTER_BEGIN_IN_KWH, begun=-3600, stop=418_000), 8000, "mixed",
        {"unit_suspect", "start_unknown"}),
    "16 units that are no register's": (
        evidence(1000, sample(-30, 1600), *[sample(-30, 7400, unit=unit) for unit in ("kW", "A", "V", "Percent")]),
        600, "samples", set()),
    "16 a kW alone": (evidence(1000, sample(-30, 7400, unit="kW")), 0, "registers", set()),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_case(name: str) -> None:
    given, energy_wh, method, marks = CASES[name]
    verdict = judge(given)
    assert (verdict.energy_wh, verdict.method, set(verdict.marks)) == (energy_wh, method, marks)


def test_stop_that_is_not_believed_is_not_the_connectors_register() -> None:
    verdict = judge(evidence(100_000, sample(-30, 112_300), stop=0))
    assert (verdict.register_wh, verdict.contradictions) == (112_300, (("registers", -100_000),))


def test_factor_of_the_suspected_unit_is_told() -> None:
    assert judge(evidence(410, *KWH_AS_WH, begun=-3600, stop=418)).unit_factor == 1000
    assert judge(evidence(410, *WH_AFTER_BEGIN_IN_KWH, begun=-3600, stop=418_000)).unit_factor == 1000
