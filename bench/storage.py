"""Storage: millions of samples, what they take on disk, and how fast pages find them, cold and warm."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg

from bench.site import REPOSITORY, Site, libpq_url
from bench.systems import System, ours

_SIZES = {
    False: """
        SELECT pg_relation_size('meter_values'), pg_indexes_size('meter_values'),
            pg_total_relation_size('meter_values'), (SELECT count(*) FROM meter_values)
    """,
    True: """
        SELECT sum(table_bytes), sum(index_bytes), sum(total_bytes), (SELECT count(*) FROM meter_values)
        FROM chunks_detailed_size('meter_values')
    """,
}


def storage(site: Site, *, millions: float, on_timescale: bool = False) -> dict[str, Any]:
    """Fill a migrated database, measure it, roll it up, and ask."""
    system = ours(site, on_timescale=on_timescale)
    run_beside(system, "manage", "migrate")
    filled = json.loads(run_beside(system, "bench.stored_month", "fill", str(int(millions * 1_000_000))))
    with psycopg.connect(libpq_url(system.database_url), autocommit=True) as connection:
        began = time.monotonic()
        connection.execute("VACUUM (ANALYZE) meter_values")
        vacuum_s = time.monotonic() - began
    rows, grown = _sizes(system, on_timescale)
    began = time.monotonic()
    run_beside(system, "manage", "reindex_samples")
    reindex_s = time.monotonic() - began
    _, reindexed = _sizes(system, on_timescale)
    began = time.monotonic()
    run_beside(system, "manage", "rollup")
    rollup_s = time.monotonic() - began
    cold = not on_timescale
    if cold:
        restart_cold(site)
    asked = json.loads(run_beside(system, "bench.stored_month", "ask"))
    return {
        "database": "TimescaleDB" if on_timescale else "PostgreSQL",
        **filled,
        "vacuum_s": round(vacuum_s, 1),
        "rollup_s": round(rollup_s, 1),
        "reindex_s": round(reindex_s, 1),
        "bytes_per_row": grown,
        "bytes_reindexed": reindexed,
        "is_cold": cold,
        "questions": asked,
        "faults": [] if rows == filled["rows"] else [f"{filled['rows']} rows copied, {rows} found"],
    }


def _sizes(system: System, on_timescale: bool) -> tuple[int, dict[str, float]]:
    """Return the number of samples, and the bytes that each takes."""
    with psycopg.connect(libpq_url(system.database_url), autocommit=True) as connection:
        row = connection.execute(_SIZES[on_timescale]).fetchone()
    assert row is not None
    table, indexes, total, rows = map(int, row)
    sizes = {"table": table, "indexes": indexes, "all": total}
    return rows, {part: round(size / rows, 1) for part, size in sizes.items()}


def run_beside(system: System, module: str, *arguments: str) -> str:
    """Run a module (or manage.py) against the system's database and return what it prints.

    :raises RuntimeError: it failed; the message is what it said.
    """
    command = [sys.executable, *(["manage.py"] if module == "manage" else ["-m", module]), *arguments]
    result = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**system.full_environment(), "DJANGO_SETTINGS_MODULE": "evcharging.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {result.stderr[-2000:]}")
    return result.stdout


def restart_cold(site: Site) -> None:
    """Restart PostgreSQL with empty caches: its own, and what the kernel keeps of its files."""
    postgres = site.servers.postgres
    postgres.stop()
    for path in Path(postgres.folder, "base").rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)
    postgres.ensure_started()
