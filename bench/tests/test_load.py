"""The load generator against the ceilings, which are real servers too."""

import pytest

from bench.apps import echo as echo_servers
from bench.chargers import Chargers
from bench.messages import WORKLOADS
from bench.sockets import PING, TEXT, frame, take_frames
from bench.systems import echo

SERVERS = [name for name in echo_servers.SERVERS if name != "uvicorn-wsproto"]  # not among the requirements


@pytest.mark.live
@pytest.mark.parametrize("server", SERVERS)
@pytest.mark.parametrize("validating", [False, True])
def test_every_workload_is_answered_by_every_ceiling(server, validating):
    with echo(server, validating=validating) as system, Chargers(system.port, stations=3, prefix="E") as chargers:
        assert len(chargers.open(timeout_s=20)) == 3
        for workload in WORKLOADS:
            run = chargers.run(workload, seconds=0.2, warm_up_s=0)
            assert run.messages == sum(run.timeline) == sum(run.by_action.values()) > 3
            assert run.unanswered == 0
        facts, counts = chargers.facts()
    assert counts == {}
    assert [fact.identity for fact in facts] == ["E00000", "E00001", "E00002"]
    assert all(fact.boots == 1 and fact.meters and fact.statuses and fact.transactions for fact in facts)


@pytest.mark.live
def test_open_loop_keeps_its_rate():
    with echo("gateway") as system, Chargers(system.port, stations=4, prefix="E", processes=2) as chargers:
        chargers.open(timeout_s=20)
        run = chargers.run("Heartbeat", seconds=2, warm_up_s=0.5, rate=100)
    assert run.messages == pytest.approx(200, abs=20)
    assert 0 < run.latency.p50 <= run.latency.p99 <= run.latency.max
    assert run.longest_gap_s < 1


@pytest.mark.live
def test_run_without_an_end_ends_when_told():
    with echo("gateway") as system, Chargers(system.port, stations=2, prefix="E") as chargers:
        chargers.open(timeout_s=20)
        chargers.begin("MeterValues")
        run = chargers.finish()
        facts, _ = chargers.facts()
    assert run.messages <= sum(fact.meters for fact in facts)


@pytest.mark.live
def test_dropped_chargers_come_back_and_are_served():
    with echo("gateway") as system, Chargers(system.port, stations=10, prefix="E") as chargers:
        chargers.open(timeout_s=20)
        assert chargers.drop(0.5) == 5
        assert len(chargers.open(parallel=5, timeout_s=20)) == 5
        facts, counts = chargers.facts()
    assert counts == {}
    assert sorted(fact.boots for fact in facts) == [1] * 5 + [2] * 5


@pytest.mark.live
def test_server_that_is_gone_is_counted_as_refusal():
    with echo("gateway") as system:
        port = system.port
    with Chargers(port, stations=2, prefix="E") as chargers:
        assert chargers.open(timeout_s=0.3) == []
        assert chargers.facts()[1]["refused"] >= 2


@pytest.mark.live
def test_server_that_is_stopped_under_load_is_counted_as_closed():
    with echo("gateway") as system, Chargers(system.port, stations=2, prefix="E") as chargers:
        chargers.open(timeout_s=20)
        chargers.begin("Heartbeat", rate=10)
        system.__exit__(None, None, None)
        with system:
            assert chargers.finish().unanswered == 0
        counts = chargers.facts()[1]
    assert counts["closed"] >= 2


@pytest.mark.parametrize("size", [0, 1, 125, 126, 5000])
def test_frame_has_its_length_and_a_mask(size):
    data = frame(b"x" * size)
    header = data[: len(data) - size]
    assert header[0] == 0x81
    assert header[1] == 0x80 | (size if size < 126 else 126)
    assert header[-4:] == bytes(4)


def test_take_frames_leaves_what_is_not_whole():
    short, long = b"\x81\x02hi", b"\x89\x7e\x00\x80" + b"p" * 128
    whole = short + long
    assert list(take_frames(whole)) == [(TEXT, b"hi", 4), (PING, b"p" * 128, len(whole))]
    for cut in range(1, len(long)):
        assert list(take_frames(whole[:-cut])) == [(TEXT, b"hi", 4)]
