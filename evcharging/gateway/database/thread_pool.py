"""The one bridge from async code to the ORM: a small pool of threads with persistent connections.

A database that is away is not an error here: `until_committed` waits for it and runs the function again, whole, for
DB_HOLD_S seconds. Everything that comes through is therefore safe to run twice.

Half of the threads are for `until_committed`, so that single services that wait never hold up the batches.
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

from evcharging.gateway.database.deadlines import Patience, Turns

logger = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

FIRST_RETRY_S, LAST_RETRY_S = 0.05, 2.0
LIMIT_EXCEEDED = "53400"
"""SQLSTATE of a transaction that asks too much, not of a database that is away."""
# TimescaleDB unpacks compressed rows to see if a sample is there already, 100,000 for one transaction. Our batches are
# bounded themselves.
_LIFT_LIMIT = "SET timescaledb.max_tuples_decompressed_per_dml_transaction = 0"

_pool: ThreadPoolExecutor | None = None
_patience: Patience | None = None
_turns: Turns | None = None


class DatabaseAway(Exception):
    """PostgreSQL did not take the transaction, or nobody knows whether it did."""


async def in_thread(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a service or selector once in the pool.

    :raises DatabaseAway: the connection failed, or the transaction was a victim (deadlock, fail-over).
    """
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(settings.GATEWAY_DB_THREADS, thread_name_prefix="database")
    return await asyncio.get_running_loop().run_in_executor(_pool, partial(_run, partial(function, *args, **kwargs)))


async def until_committed(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a service until it has committed, a few at a time; wait for it as `waiting.Patience` says.

    :raises DatabaseAway: the time is over; whether it committed is unknown.
    """
    global _patience, _turns
    if _patience is None or _turns is None:
        _patience = Patience()
        _turns = Turns(max(settings.GATEWAY_DB_THREADS // 2, 1), _patience)
    patience, turns = _patience, _turns
    since = asyncio.get_running_loop().time()
    if not await turns.take(since):
        raise DatabaseAway("no answer in time")
    try:
        result = await _retried(patience.deadline(since), partial(function, *args, **kwargs))
    finally:
        turns.give_back()
    patience.get_on(asyncio.get_running_loop().time())
    return result


async def _retried(deadline: float, function: Callable[[], R]) -> R:
    retries = Retries(deadline)
    lost_race = False
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                return await in_thread(function)
        except TimeoutError as error:
            raise DatabaseAway("no answer in time") from error
        except DatabaseAway as error:
            await retries.wait(error)
        except IntegrityError:
            # Two processes stored the same fact at once; the second look finds it.
            if lost_race:
                raise
            lost_race = True


class Retries:
    """Waits longer from try to try, until the deadline is near."""

    def __init__(self, deadline: float) -> None:
        self.deadline = deadline
        self.delay_s = FIRST_RETRY_S

    async def wait(self, error: DatabaseAway) -> None:
        """Sleep before the next try.

        :raises DatabaseAway: the given one, if no time is left for another try.
        """
        if asyncio.get_running_loop().time() + self.delay_s >= self.deadline:
            raise error
        await asyncio.sleep(self.delay_s * random.uniform(0.5, 1.0))
        self.delay_s = min(self.delay_s * 2, LAST_RETRY_S)


def close_pool() -> None:
    """End the threads once their work is done; their connections close with them."""
    global _pool, _patience, _turns
    _patience = _turns = None
    if _pool is not None:
        everyone = threading.Barrier(settings.GATEWAY_DB_THREADS)

        def close() -> None:
            connection.close()
            everyone.wait()  # or a thread would close twice, and another not at all

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
            logger.warning("a limit of the database is lifted: %s", str(error).strip())
            with connection.cursor() as cursor:
                cursor.execute(_LIFT_LIMIT)
            return function()
    except (OperationalError, InterfaceError, InternalError) as error:
        connection.close()
        raise DatabaseAway(str(error).strip()) from error
