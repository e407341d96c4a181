"""The bridge to the ORM: what is run again, how many at a time, in which order and until when."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.db import IntegrityError, OperationalError, connection

from evcharging.gateway.database.sessions import LIMIT_EXCEEDED, DatabaseAway, RowLocked
from evcharging.gateway.database.thread_pool import close_pool, in_thread, in_thread_unless_locked, until_committed

LIMIT = "timescaledb.max_tuples_decompressed_per_dml_transaction"


@pytest.fixture(autouse=True)
def _pool(settings: LazySettings) -> Iterator[None]:
    """End the threads before the test database is dropped and while GATEWAY_DB_THREADS is still that of the test."""
    yield
    close_pool()


def refuse(sqlstate: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'tuple limit exceeded' USING ERRCODE = '{sqlstate}'; END $$")


@pytest.mark.django_db(transaction=True)
async def test_limit_of_decompressed_rows_is_lifted_and_the_transaction_run_again():
    def store() -> str:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting(%s, true)", [LIMIT])
            (limit,) = cursor.fetchone()
        if limit != "0":
            refuse(LIMIT_EXCEEDED)
        return str(limit)

    assert await in_thread(store) == "0"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sqlstate", ["53400", "53300", "40P01"])
async def test_failure_of_the_second_run_is_database_away(sqlstate):
    with pytest.raises(DatabaseAway, match="tuple limit"):
        await in_thread(refuse, sqlstate)


@pytest.mark.django_db(transaction=True)
async def test_other_errors_are_raised_to_the_caller():
    with pytest.raises(Exception, match="tuple limit") as caught:
        await in_thread(refuse, "23505")
    assert not isinstance(caught.value, DatabaseAway | OperationalError)


@pytest.mark.parametrize("threads", [1, 2, 5, 8])
async def test_single_services_leave_half_of_the_threads_to_batches(settings: LazySettings, threads: int):
    settings.GATEWAY_DB_THREADS = threads
    running, most = 0, 0
    lock = threading.Lock()
    release = threading.Event()

    def serve() -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        release.wait(5)
        with lock:
            running -= 1

    asked = [asyncio.create_task(until_committed(serve)) for _ in range(20)]
    await asyncio.sleep(0.1)
    if threads > 1:
        assert await in_thread(lambda: "batch") == "batch"
    release.set()
    await asyncio.gather(*asked)
    assert most == max(threads // 2, 1)


async def test_single_services_run_in_order_and_wait_while_others_commit(settings: LazySettings):
    settings.GATEWAY_DB_THREADS, settings.DB_HOLD_S = 2, 0.3
    order: list[int] = []

    def serve(number: int) -> None:
        time.sleep(0.1)
        order.append(number)

    await asyncio.gather(*(until_committed(serve, number) for number in range(9)))
    assert order == list(range(9))


async def test_single_services_expire_where_nothing_commits(settings: LazySettings):
    settings.GATEWAY_DB_THREADS, settings.DB_HOLD_S = 2, 0.3
    release = threading.Event()
    began = time.monotonic()
    asked = await asyncio.gather(*(until_committed(release.wait, 5) for _ in range(4)), return_exceptions=True)
    assert {type(each) for each in asked} == {DatabaseAway}
    assert 0.29 < time.monotonic() - began < 0.6
    release.set()
    assert await until_committed(lambda: "again") == "again"


async def test_semaphore_of_a_cancelled_waiter_goes_to_the_next(settings: LazySettings):
    settings.GATEWAY_DB_THREADS = 2
    release = threading.Event()
    first, second, third = (asyncio.create_task(until_committed(release.wait, 5)) for _ in range(3))
    await asyncio.sleep(0.05)
    second.cancel()
    await asyncio.sleep(0.05)
    release.set()
    assert await asyncio.gather(first, third) == [True, True]
    with pytest.raises(asyncio.CancelledError):
        await second


async def test_error_of_a_service_releases_the_semaphore(settings: LazySettings):
    settings.GATEWAY_DB_THREADS = 2

    def fail() -> None:
        raise IntegrityError("twice")

    for _ in range(3):
        with pytest.raises(IntegrityError):
            await until_committed(fail)


@pytest.mark.django_db(transaction=True)
async def test_gateway_waits_for_no_lock_and_holds_none_for_long():
    def settings_of_session() -> list[str]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT current_setting('lock_timeout'), current_setting('idle_in_transaction_session_timeout')"
            )
            return list(cursor.fetchone())

    assert await in_thread(settings_of_session) == ["300ms", "5s"]
    assert await in_thread_unless_locked(settings_of_session) == ["30ms", "5s"]
    assert await in_thread(settings_of_session) == ["300ms", "5s"]


@pytest.mark.django_db(transaction=True)
async def test_locked_row_is_said_and_costs_no_connection():
    def backend() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            (pid,) = cursor.fetchone()
            return int(pid)

    before = await in_thread(backend)
    with pytest.raises(RowLocked):
        await in_thread(refuse, "55P03")
    assert await in_thread(backend) == before


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sqlstate", ["54000", "54001", "54023"])
async def test_message_beyond_a_limit_of_postgresql_is_to_blame_itself(sqlstate):
    with pytest.raises(OperationalError, match="tuple limit"):
        await until_committed(refuse, sqlstate)


async def test_service_that_is_tried_again_holds_no_turn_meanwhile(settings: LazySettings):
    settings.GATEWAY_DB_THREADS = 2
    settings.DB_HOLD_S = 2
    failed = threading.Event()

    def fail() -> None:
        failed.set()
        raise OperationalError("gone")

    waits = asyncio.create_task(until_committed(fail))
    while not failed.is_set():
        await asyncio.sleep(0.01)
    for _ in range(5):
        assert await asyncio.wait_for(until_committed(lambda: 1), 0.5) == 1
    assert not waits.done()
    with pytest.raises(DatabaseAway):
        await waits
