"""Storms, restarts, memory, stages and storage, each small and not timed."""

import re

import psycopg
import pytest

from bench import report
from bench.goals import GOALS, all_faults, judged
from bench.memory import memory
from bench.restarts import restarts
from bench.runs import cells, half_peak, stages
from bench.servers import SERVERS, server_cells, server_memory
from bench.site import libpq_url, timescale
from bench.storage import storage
from bench.storms import storm
from bench.systems import NotAvailable, System, echo


def test_storm_serves_all_and_half_of_it_again(site):
    found = storm(site, stations=30, processes=1)
    assert found["faults"] == []
    assert [found[wave]["served"] for wave in ("all", "half")] == [30, 15]
    assert [found[wave][name] for wave in ("all", "half") for name in ("refused", "lost", "closed")] == [0] * 6
    assert found["all"]["calm_unanswered"] == 0


def test_restarts_lose_nothing(site):
    found = restarts(site, stations=4, before_s=0.5, after_s=1.5)
    assert [each["restarted"] for each in found] == ["Valkey", "PostgreSQL"]
    assert [each["faults"] for each in found] == [[], []]
    assert all(each["away_s"] > 0 and sum(each["messages_by_second"]) > 0 for each in found)


def test_memory_is_told_by_part(site):
    found = memory(site, stations=20, settle_s=0.2)
    assert found["faults"] == []
    assert set(found["none_kib"]) == {"server", "postgres", "valkey"}
    assert all(kib > 1000 for kib in found["none_kib"].values())
    assert set(found["idle_kib_each"]) == {"server", "postgres", "valkey", "all"}


@pytest.mark.live
def test_servers_are_compared_in_pairs():
    missing = {}
    found = server_cells(stations=[2, 3], seconds=0.5, rounds=2, missing=missing)
    titles = [title for title in SERVERS.values() if title not in missing]
    assert [(each["server"], each["stations"]) for each in found] == [(name, n) for n in (2, 3) for name in titles]
    assert [each["faults"] for each in found] == [[]] * len(found)
    assert all(len(each["rounds"]) == 2 and each["cpu_us"] > 0 for each in found)
    assert [(each["rate_ratio"], each["cpu_ratio"]) for each in found if each["server"] == "ours"] == [(1, 1)] * 2
    page = report.render({"servers": {"at": "then", "machine": "here", "found": found}})
    assert page.count("| Daphne on uvloop |") == 2


@pytest.mark.live
def test_memory_of_servers_is_of_one_connection():
    found = server_memory(["gateway", "gateway", "daphne"], stations=30, settle_s=0.2)
    assert [each["server"] for each in found] == ["ours", "Daphne"]
    assert [each["faults"] for each in found] == [[], []]
    assert all(-10 < each["idle_kib"] < 200 for each in found)  # of 30 connections: the server's other pages count


def test_stages_of_three_actions(site):
    found = stages(site)
    assert set(found) == {"MeterValues", "StartTransaction", "StopTransaction"}
    assert all(found[action]["statements, one by one"] >= 1 for action in ("StartTransaction", "StopTransaction"))
    for each in found.values():
        assert {"JSON", "validation", "translation", "answer", "database client"} <= set(each)
        assert all(value > 0 for value in each.values())


def test_storage_holds_what_was_copied(site):
    found = storage(site, millions=0.1)
    assert found["faults"] == []
    assert found["rows"] == found["stations"] * 57_600 == 115_200
    assert 40 < found["bytes_per_row"]["table"] < found["bytes_per_row"]["all"] < 400
    assert found["bytes_reindexed"]["all"] < found["bytes_per_row"]["all"] - 20
    by_question = {each["question"]: each for each in found["questions"]}
    assert len(by_question) == 5
    assert all(each["plans"] and each["warm_ms"] > 0 for each in by_question.values())
    # Each asks of a station that has samples: an empty answer would be measured fast.
    assert "energy=[Energy" in by_question["station-day chart"]["answer"]
    assert re.search(r"energy_wh=[1-9]", by_question["station-month energy"]["answer"])
    assert by_question["a day's latest samples"]["answer"].count("<MeterValue") > 1


def test_cells_and_latency_come_to_goals(site):
    missing = {}

    def not_here() -> System:
        raise NotAvailable("not here")

    from bench.runs import goal_systems

    wanted = {name: goal_systems(site)[name] for name in ("raw echo, gateway", "obvious, daphne", "ours, daphne")}
    systems = {name: (make, workloads[:1]) for name, (make, workloads) in wanted.items()}
    systems["elsewhere"] = (not_here, ("MeterValues",))
    found = cells(systems, stations=50, seconds=0.5, rounds=1, missing=missing)
    assert missing == {"elsewhere": "not here"}
    assert [each["system"] for each in found] == list(wanted)
    sections = {"cells": found, "latency": half_peak(site, found, seconds=0.5)}
    assert all_faults(sections) == []
    measured = {each["goal"]: each["value"] for each in judged(sections) if each["value"] is not None}
    assert set(measured) == {
        "MeterValues / raw echo on the same server",
        "MeterValues / obvious",
        "ack p99 at half the peak rate",
    }
    assert all(value > 0 for value in measured.values())


def test_half_peak_without_its_cell_is_not_measured(site):
    assert half_peak(site, [], seconds=0.1) is None


def test_faults_are_found_in_every_section():
    sections = {"cells": [{"system": "a", "faults": ["lost"]}], "latency": {"faults": ["late"]}, "not_available": {}}
    assert len(all_faults(sections)) == 2


@pytest.mark.parametrize(("value", "is_met"), [(0.8, True), (0.75, True), (0.7, False), (float("nan"), False)])
def test_goal_is_met_at_its_bound(value, is_met):
    assert GOALS[0].is_met(value) == is_met


def test_results_are_kept_by_section(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results" / "latest.json")
    report.keep(
        {"latency": {"system": "ours", "rate": 10.0, "latency_ms": {"p50": 1.0, "p99": 2.5, "max": 3.0}}},
        "then",
        "here",
    )
    report.keep({"restarts": []}, "now", "here")
    page = report.render(report.load())
    assert "| ack p99 at half the peak rate | ≤ 20 ms | 2.5 | yes |" in page
    assert "then, here" in page
    assert "Restarts" not in page


def test_given_timescale_is_used(monkeypatch):
    monkeypatch.setenv("TIMESCALE_URL", "timescale://somebody@somewhere/x")
    with timescale() as (url, why):
        assert (url, why) == ("timescale://somebody@somewhere/x", "")
    assert libpq_url(url).startswith("postgresql://")


def test_system_that_does_not_start_says_why(site):
    broken = System(
        "broken",
        [*echo("gateway").command[:1], "-c", "raise SystemExit('because')"],
        log=str(site.folder / "broken.log"),
    )
    with pytest.raises(NotAvailable, match="because"):
        broken.__enter__()


def test_databases_of_a_site_are_its_own(site):
    with psycopg.connect(site.new_database("same")) as one, psycopg.connect(site.new_database("same")) as other:
        assert one.info.dbname != other.info.dbname
    assert site.new_redis_url() != site.new_redis_url()
