"""What happens between the open port and the first charger: servers, migrations, the first admin."""

import logging
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from evcharging.storage import apply_policies

logger = logging.getLogger(__name__)

#: The name of our advisory lock in PostgreSQL: processes that start together migrate one after the other.
_MIGRATION_LOCK = 0x45564348
_RETRY_S = 2.0
ADMIN_NAME = "admin"


class StartAbandoned(Exception):
    """The process was asked to stop before it was ready."""


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """The account that the first start creates; its password is shown once and kept nowhere."""

    name: str
    password: str


def prepare_database(stopping: threading.Event) -> FirstAdmin | None:
    """Start the embedded servers, wait for the database, migrate it, create an admin if there is no user at all.

    Behind a TLS proxy no admin is created, since what is shown there stays in logs: use `manage.py createsuperuser`.

    :raises StartAbandoned: once `stopping` is set.
    :raises EmbeddedServerError: if an embedded server cannot be started.
    """
    settings.EMBEDDED_SERVERS.acquire()
    settings.EMBEDDED_SERVERS.supervise()
    while True:
        try:
            with _migration_lock(stopping):
                _migrate()
                _apply_storage_policies()
                return None if settings.BEHIND_TLS_PROXY else _create_first_admin()
        except OperationalError as error:
            logger.warning("the database cannot be used yet: %s", " ".join(str(error).split()))
            connection.close()
            if stopping.wait(_RETRY_S):
                raise StartAbandoned from None


def _apply_storage_policies() -> None:
    """Storage that is not as the settings say is no reason to leave chargers waiting."""
    try:
        for line in apply_policies():
            logger.info("storage: %s", line)
    except OperationalError:
        raise
    except DatabaseError:
        logger.exception("the storage policies cannot be applied; manage.py apply_storage_policies tries again")


def _migrate() -> None:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if not plan:
        return
    logger.info("applying %d migrations", len(plan))
    started = time.monotonic()
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    logger.info("applied %d migrations in %.1f s", len(plan), time.monotonic() - started)


def _create_first_admin() -> FirstAdmin | None:
    users = get_user_model()._default_manager
    if users.exists():
        return None
    admin = FirstAdmin(ADMIN_NAME, secrets.token_urlsafe(12))
    users.create_superuser(admin.name, password=admin.password)  # type: ignore[attr-defined]
    return admin


@contextmanager
def _migration_lock(stopping: threading.Event) -> Iterator[None]:
    """Hold the advisory lock. Asked for again and again, because who waits for it inside PostgreSQL holds a snapshot,
    and CREATE INDEX CONCURRENTLY of who has the lock would wait for that snapshot: a deadlock."""
    told = False
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", [_MIGRATION_LOCK])
            if cursor.fetchone()[0]:
                break
            if not told:
                logger.info("another process is migrating the database; waiting for it")
                told = True
            if stopping.wait(0.2):
                raise StartAbandoned
    try:
        if stopping.is_set():
            raise StartAbandoned
        yield
    finally:
        connection.close()  # and with the session goes its lock
