"""The only bridge from async code to the ORM: a thread pool with persistent database connections.

An unavailable database is not an error here: `until_committed` waits for it and runs the whole function again until
its deadline (`deadlines.Deadline`). Whatever runs here must therefore be safe to run twice.

`until_committed` takes at most half of the threads, so that single services that wait never block the batches.
"""

import asyncio
import logging
import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from django.conf import settings
from django.db import IntegrityError, InterfaceError, InternalError, OperationalError, connection

from evcharging.gateway.database.deadlines import Deadline, FairSemaphore
from evcharging.gateway.database.sessions import (
    LIMIT_EXCEEDED,
    DatabaseAway,
    mark_thread,
    read_error,
    short_lock_timeout,
)

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

FIRST_RETRY_S, LAST_RETRY_S = 0.05, 2.0
# TimescaleDB decompresses rows to see whether a sample is stored already, by default at most 100,000 per transaction.
# A lane bounds its batches itself (max_batch_weight).
_LIFT_LIMIT = "SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0"

_pool: ThreadPoolExecutor | None = None
_deadline: Deadline | None = None
_semaphore: FairSemaphore | None = None


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a service or selector once in the pool.

    :raises DatabaseAway: the connection failed, or the transaction was aborted (deadlock, fail-over).
    :raises RowLocked: a lock was not to be had within LOCK_TIMEOUT_MS.
    """
    return await _in_pool(partial(_run, partial(function, *args, **kwargs)))


async def in_thread_unless_locked(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a service once in the pool, waiting for locks no longer than SHORT_LOCK_TIMEOUT_MS.

    :raises RowLocked: :raises DatabaseAway:
    """

    def run() -> R:
        with short_lock_timeout():
            return function(*args, **kwargs)

    return await _in_pool(partial(_run, run))


async def _in_pool(function: Callable[[], R]) -> R:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(settings.GATEWAY_DB_THREADS, "database", initializer=mark_thread)
    return await asyncio.get_running_loop().run_in_executor(_pool, function)


async def until_committed(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a service, again where the database failed, until it has committed or its deadline passed.

    Calls run in the order of arrival, half as many at a time as there are threads.

    :raises DatabaseAway: the deadline passed; whether it committed is unknown.
    """
    global _deadline, _semaphore
    if _deadline is None or _semaphore is None:
        _deadline = Deadline()
        _semaphore = FairSemaphore(max(settings.GATEWAY_DB_THREADS // 2, 1), _deadline)
    deadline, semaphore = _deadline, _semaphore
    arrived_at = asyncio.get_running_loop().time()
    retries = Retries(deadline.expires_at(arrived_at))
    lost_race = False
    while True:
        if not await semaphore.acquire(arrived_at):
            raise DatabaseAway("no answer in time")
        retries.expires_at = deadline.expires_at(arrived_at)
        # Released between attempts: what cannot be stored yet does not hold up what can.
        try:
            result = await _attempt(retries.expires_at, partial(function, *args, **kwargs))
        except DatabaseAway as error:
            failure = error
        except IntegrityError:
            # Two processes inserted the same fact at once: the second run finds the row of the first.
            if lost_race:
                raise
            lost_race = True
            continue
        else:
            deadline.extend(asyncio.get_running_loop().time())
            return result
        finally:
            semaphore.release()
        await retries.wait(failure)


async def _attempt(expires_at: float, function: Callable[[], R]) -> R:
    try:
        async with asyncio.timeout_at(expires_at):
            return await in_thread(function)
    except TimeoutError:
        raise DatabaseAway("no answer in time") from None


class Retries:
    """Exponential backoff with jitter, up to a deadline."""

    def __init__(self, expires_at: float) -> None:
        self.expires_at = expires_at
        self.delay_s = FIRST_RETRY_S

    async def wait(self, error: DatabaseAway) -> None:
        """Sleep before the next attempt.

        :raises DatabaseAway: `error`, if the deadline leaves no time for another attempt.
        """
        if asyncio.get_running_loop().time() + self.delay_s >= self.expires_at:
            raise error
        await asyncio.sleep(self.delay_s * random.uniform(0.5, 1.0))
        self.delay_s = min(self.delay_s * 2, LAST_RETRY_S)


def close_pool() -> None:
    """End the threads once their work is done, and close their connections."""
    global _pool, _deadline, _semaphore
    _deadline = _semaphore = None
    if _pool is not None:
        all_threads = threading.Barrier(settings.GATEWAY_DB_THREADS)

        def close() -> None:
            connection.close()
            all_threads.wait()  # else one thread could run this twice, and another keep its connection

        for _ in range(settings.GATEWAY_DB_THREADS):
            _pool.submit(close)
        _pool.shutdown(wait=True)
        _pool = None


def _run(function: Callable[[], R]) -> R:
    try:
        try:
            return function()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != LIMIT_EXCEEDED:
                raise
            logger.warning("TimescaleDB's limit of decompressed rows is lifted: %s", str(error).strip())
            with connection.cursor() as cursor:
                cursor.execute(_LIFT_LIMIT)
            return function()
    except (OperationalError, InterfaceError, InternalError) as error:
        meant = read_error(error)
        if type(meant) is DatabaseAway:
            connection.close()
        raise meant from error
