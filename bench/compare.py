"""Whether the database holds what was acknowledged: every message once, none that was never sent."""

from collections import defaultdict
from collections.abc import Iterable

import psycopg

from bench.messages import SAMPLES, Facts
from bench.site import libpq_url

_OURS = {
    "meters": """
        SELECT s.identity, count(*), sum(v.value) FILTER (WHERE m.measurand = 'Energy.Active.Import.Register')
        FROM meter_values v JOIN meter_series m ON m.id = v.series_id JOIN stations_station s ON s.id = m.station_id
        WHERE s.identity LIKE %s GROUP BY 1
    """,
    "statuses": """
        SELECT s.identity, count(*) FROM status_notifications n JOIN stations_station s ON s.id = n.station_id
        WHERE s.identity LIKE %s GROUP BY 1
    """,
    "boots": """
        SELECT DISTINCT s.identity FROM stations_boot b JOIN stations_station s ON s.id = b.station_id
        WHERE s.identity LIKE %s
    """,
    "transactions": """
        SELECT s.identity, t.transaction_id, t.meter_start, t.meter_stop
        FROM transactions_transaction t JOIN stations_station s ON s.id = t.station_id WHERE s.identity LIKE %s
    """,
}
_OBVIOUS = {
    "meters": """
        SELECT identity, count(*), sum(value) FILTER (WHERE measurand = 'Energy.Active.Import.Register')
        FROM obvious_metervalue WHERE identity LIKE %s GROUP BY 1
    """,
    "statuses": "SELECT identity, count(*) FROM obvious_status WHERE identity LIKE %s GROUP BY 1",
    "boots": "SELECT DISTINCT identity FROM obvious_boot WHERE identity LIKE %s",
    "transactions": """
        SELECT identity, id, meter_start, meter_stop FROM obvious_transaction WHERE identity LIKE %s
    """,
}
QUERIES = {"ours": _OURS, "obvious": _OBVIOUS}


def differences(
    facts: Iterable[Facts], *, database_url: str, tables: str, prefix: str, lost_connections: bool = False
) -> list[str]:
    """Return, a line each, where the rows of the chargers named <prefix>… are not those they were acknowledged.

    :param tables: whose: "ours" or "obvious".
    :param lost_connections: a charger that came back has booted again: of what it told then there may be more.
    """
    queries, pattern = QUERIES[tables], f"{prefix}%"
    with psycopg.connect(libpq_url(database_url)) as connection:
        meters = {row[0]: row[1:] for row in connection.execute(queries["meters"], [pattern])}
        statuses: dict[str, int] = dict(connection.execute(queries["statuses"], [pattern]).fetchall())
        booted = {row[0] for row in connection.execute(queries["boots"], [pattern])}
        transactions = defaultdict(list)
        for identity, *rest in connection.execute(queries["transactions"], [pattern]):
            transactions[identity].append(rest)
    found: list[str] = []
    for fact in facts:
        samples, register_sum = meters.pop(fact.identity, (0, 0))
        facts_and_rows: tuple[tuple[str, object, object], ...] = (
            ("samples", fact.meters * SAMPLES, samples),
            ("sum of registers", fact.register_sum, register_sum or 0),
            ("transactions", sorted(fact.transactions), sorted(transactions.pop(fact.identity, []))),
        )
        statuses_stored, has_booted = statuses.pop(fact.identity, 0), fact.identity in booted
        booted.discard(fact.identity)
        different = [each for each in facts_and_rows if each[1] != each[2]]
        if fact.statuses > statuses_stored or (fact.statuses != statuses_stored and not lost_connections):
            different.append(("statuses", fact.statuses, statuses_stored))
        # Boots with the same words shortly after one another are one row.
        if (fact.boots > 0) != has_booted and not (has_booted and lost_connections):
            different.append(("has booted", fact.boots > 0, has_booted))
        found += [
            f"{fact.identity}: {name} acknowledged {_short(acknowledged)}, stored {_short(stored)}"
            for name, acknowledged, stored in different
        ]
    strangers = {*meters, *statuses, *booted, *transactions}
    return found + [f"{identity}: stored, and no charger of this run" for identity in sorted(strangers)]


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 200 else f"{text[:200]}…"
