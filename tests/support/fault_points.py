"""Places inside a database transaction where a test can hold it, to kill somebody there."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Any, NamedTuple

import psycopg

HELD = 0x0FA17
"""Which advisory lock the held transactions wait for."""


class When(StrEnum):
    """How far the transaction has come.

    `BEFORE`: a statement runs. `COMMIT`: the client has sent COMMIT, and only PostgreSQL's own end prevents it.
    `COMMITTED`: it is on disk for good, and the client has not been told.
    """

    BEFORE = "before"
    COMMIT = "at commit after"
    COMMITTED = "committed"


class FaultPoint(NamedTuple):
    """Every transaction that does `event` to `table` can be held there; `step` is the message that does.

    A batched start is one on a connector that is known: it takes the fast path.
    """

    step: str
    when: When
    event: str
    table: str

    def __str__(self) -> str:
        return f"{self.step}: {self.when} {self.event} {self.table}"


POINTS = [
    FaultPoint("start", When.BEFORE, "INSERT", "connectors_connector"),
    FaultPoint("start", When.BEFORE, "INSERT", "transactions_transaction"),
    FaultPoint("start", When.COMMIT, "INSERT", "transactions_transaction"),
    FaultPoint("start", When.COMMITTED, "INSERT", "transactions_transaction"),
    FaultPoint("batched start", When.BEFORE, "INSERT", "transactions_transaction"),
    FaultPoint("batched start", When.COMMIT, "INSERT", "transactions_transaction"),
    FaultPoint("batched start", When.COMMITTED, "INSERT", "transactions_transaction"),
    FaultPoint("sample", When.BEFORE, "INSERT", "meter_series"),
    FaultPoint("sample", When.BEFORE, "INSERT", "meter_values"),
    FaultPoint("sample", When.BEFORE, "UPDATE", "transactions_transaction"),
    FaultPoint("sample", When.COMMIT, "INSERT", "meter_values"),
    FaultPoint("sample", When.COMMITTED, "INSERT", "meter_values"),
    FaultPoint("stop", When.BEFORE, "UPDATE", "transactions_transaction"),
    FaultPoint("stop", When.BEFORE, "UPDATE", "connectors_connector"),
    FaultPoint("stop", When.COMMIT, "UPDATE", "transactions_transaction"),
    FaultPoint("stop", When.COMMITTED, "UPDATE", "transactions_transaction"),
]

_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION wait_at_fault_point() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_advisory_xact_lock_shared({HELD}); RETURN NEW; END $$
"""
_HELD_BY_LOCK = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {HELD} AND NOT granted"
# The locks of a transaction that waits for its stand-by are still there.
_HELD_BY_STANDBY = """
    SELECT pid FROM pg_stat_activity a JOIN pg_locks l USING (pid)
    WHERE a.wait_event = 'SyncRep' AND l.relation = '{table}'::regclass AND l.mode = 'RowExclusiveLock'
"""


class Hold:
    """A fault point that holds whoever comes. What is COMMITTED waits for a stand-by server that does not exist."""

    def __init__(self, connection: psycopg.Connection, point: FaultPoint) -> None:
        self._connection, self._point = connection, point

    def set(self) -> None:
        """Hold transactions from now on."""
        table, event, when = self._point.table, self._point.event, self._point.when
        if when is When.COMMITTED:
            self._demand_standby()
            return
        self._run(f"SELECT pg_advisory_lock({HELD})")
        self._run(_FUNCTION)
        if when is When.COMMIT:
            timing = f"CONSTRAINT TRIGGER fault_point AFTER {event} ON {table} DEFERRABLE INITIALLY DEFERRED"
        else:
            timing = f"TRIGGER fault_point BEFORE {event} ON {table}"
        self._run(f"CREATE {timing} FOR EACH ROW EXECUTE FUNCTION wait_at_fault_point()")

    def wait_until_reached(self, timeout_s: float = 20.0) -> None:
        """Wait until a transaction is held.

        :raises AssertionError: none came.
        """
        deadline = time.monotonic() + timeout_s
        while not self._run(self._held()).fetchone():
            assert time.monotonic() < deadline, "no transaction came to the fault point"
            time.sleep(0.01)

    def terminate(self) -> None:
        """End the database connections that are held, as an administrator or a fail-over does."""
        assert self._run(f"SELECT pg_terminate_backend(pid) FROM ({self._held()}) AS held").fetchall()

    def release(self) -> None:
        """Let whoever is held go on."""
        if self._point.when is When.COMMITTED:
            self._demand_nothing()
        else:
            self._run("SELECT pg_advisory_unlock_all()")

    def remove(self) -> None:
        """Leave nothing of it behind."""
        self.release()
        self._run(f"DROP TRIGGER IF EXISTS fault_point ON {self._point.table}")

    def _held(self) -> str:
        is_standby = self._point.when is When.COMMITTED
        return _HELD_BY_STANDBY.format(table=self._point.table) if is_standby else _HELD_BY_LOCK

    def _demand_standby(self) -> None:
        self._run("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
        self._run("SELECT pg_reload_conf()")
        # It is in force once a commit of our own waits.
        deadline = time.monotonic() + 20
        with psycopg.connect(self._connection.info.dsn, password=self._connection.info.password) as probe:
            waits = f"SELECT 1 FROM pg_stat_activity WHERE pid = {probe.info.backend_pid} AND wait_event = 'SyncRep'"
            while not self._run(waits).fetchone():
                assert time.monotonic() < deadline, "PostgreSQL waits for no stand-by"
                probe.pgconn.consume_input()
                if not probe.pgconn.is_busy():
                    while probe.pgconn.get_result():
                        pass
                    probe.pgconn.send_query(b"SELECT pg_logical_emit_message(true, 'probe', '')")
                time.sleep(0.01)
            probe.close()

    def _demand_nothing(self) -> None:
        self._run("ALTER SYSTEM RESET synchronous_standby_names")
        self._run("SELECT pg_reload_conf()")

    def _run(self, sql: str) -> psycopg.Cursor[Any]:
        return self._connection.execute(sql)  # type: ignore[call-overload]


@contextmanager
def hold_at(url: str, point: FaultPoint) -> Iterator[Hold]:
    """Hold transactions at a fault point until released; PostgreSQL itself may die meanwhile."""
    with psycopg.connect(url, autocommit=True) as connection:
        hold = Hold(connection, point)
        try:
            hold.set()
            yield hold
        finally:
            with suppress(psycopg.OperationalError):
                hold.release()
    with connected(url) as connection:
        Hold(connection, point).remove()


def connected(url: str, timeout_s: float = 30.0) -> psycopg.Connection:
    """Connect, waiting for a PostgreSQL that is on its way back."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return psycopg.connect(url, autocommit=True)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
