"""What stores, under every workload for a moment: its rows are what was acknowledged, and where not, it is told."""

import psycopg
import pytest

from bench.cells import measure, merged
from bench.chargers import Chargers
from bench.compare import differences
from bench.messages import SAMPLES, WORKLOADS
from bench.site import libpq_url
from bench.systems import NotAvailable, obvious, ours

MAKERS = {
    "obvious": obvious,
    "daphne": ours,
    "two processes": lambda site: ours(site, processes=2),
    "uvicorn": lambda site: ours(site, server="uvicorn"),
}


@pytest.mark.parametrize("name", MAKERS)
def test_rows_are_what_was_acknowledged(site, name):
    with MAKERS[name](site) as system, Chargers(system.port, stations=4, prefix="C") as chargers:
        system.import_id_tags(chargers.identities)
        assert len(chargers.open(timeout_s=30)) == 4
        measurements = [measure(system, chargers, workload, seconds=0.3) for workload in WORKLOADS]
        facts, _ = chargers.facts()
        with psycopg.connect(libpq_url(system.database_url)) as connection:
            table = "obvious_metervalue" if name == "obvious" else "meter_values"
            (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    assert rows == SAMPLES * sum(fact.meters for fact in facts) > 0
    found = merged(measurements)
    assert [each["faults"] for each in found] == [[]] * len(WORKLOADS)
    assert [each["workload"] for each in found] == list(WORKLOADS)
    assert all(each["per_second"] > 0 for each in found)
    assert {"server", "postgres", "generator"} <= set(found[0]["cpu_ms"])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("DELETE FROM meter_values WHERE value = (SELECT max(value) FROM meter_values)", "samples"),
        ("UPDATE meter_values SET value = value + 1 WHERE value >= 100000", "sum of registers"),
        ("DELETE FROM status_notifications", "statuses"),
        ("DELETE FROM stations_boot", "has booted"),
        ("UPDATE transactions_transaction SET meter_stop = meter_stop + 1", "transactions"),
        ("UPDATE stations_station SET identity = 'D' || identity", "no charger of this run"),
    ],
)
def test_every_difference_is_told(copied, change, found):
    database_url, facts = copied
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute(change)
        told = differences_of(database_url, facts)  # before the commit: nothing is seen
        connection.commit()
    assert told == []
    assert any(found in line for line in differences_of(database_url, facts))


def differences_of(database_url: str, facts) -> list[str]:
    return differences(facts, database_url=database_url, tables="ours", prefix="D")


@pytest.fixture(scope="module")
def filled(site):
    """The database of a stopped system with what two chargers said, and what they were acknowledged."""
    with ours(site) as system, Chargers(system.port, stations=2, prefix="D") as chargers:
        system.import_id_tags(chargers.identities)
        chargers.open(timeout_s=30)
        chargers.run("MeterValues", seconds=0.2)
        chargers.run("Start+Stop", seconds=0.3)
        facts, _ = chargers.facts()
    return system.database_url, facts


@pytest.fixture
def copied(filled):
    """A copy of it, to be spoilt."""
    database_url, facts = filled
    parameters = psycopg.conninfo.conninfo_to_dict(libpq_url(database_url))
    with psycopg.connect(**{**parameters, "dbname": "postgres"}, autocommit=True) as connection:
        connection.execute("DROP DATABASE IF EXISTS spoilt")
        connection.execute(f"CREATE DATABASE spoilt TEMPLATE {parameters['dbname']}")
    head, _, name = database_url.rpartition(str(parameters["dbname"]))
    return f"{head}spoilt{name}", facts


@pytest.mark.live
def test_option_that_serve_does_not_have_is_told(monkeypatch):
    from bench import systems

    with pytest.raises(NotAvailable, match="--no-such-option"):
        systems._require_option("--no-such-option")
