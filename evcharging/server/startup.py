"""The start of a process, in a thread while the port is open: embedded servers, migrations, the first admin."""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError, OperationalError, connection, connections
from django.db.migrations.executor import MigrationExecutor

from evcharging.db.advisory_locks import AdvisoryLock, try_lock_for_session
from evcharging.embedded.process import EmbeddedServerError
from evcharging.jobs.storage import apply_policies

logger = logging.getLogger(__name__)

_RETRY_S = 2.0
ADMIN_NAME = "admin"


class StartAbandoned(Exception):
    """The process was told to stop before it was ready."""


@dataclass(frozen=True, slots=True)
class FirstAdmin:
    """The account that the first start creates; its password is printed once and stored only as a hash."""

    name: str
    password: str

    @property
    def login(self) -> str:
        """The line that is printed."""
        return f"user {self.name}, password {self.password} (shown this once)"


Prepare = Callable[[threading.Event], FirstAdmin | None]


class Start:
    """The thread that prepares a process while its port is already open.

    :param on_ready: called in the thread with the result of `prepare`.
    :param on_failure: called in the thread after `failure` was set to one line that says why the process must end.
    """

    def __init__(
        self,
        *,
        on_ready: Callable[[FirstAdmin | None], None],
        on_failure: Callable[[], None],
        prepare: Prepare | None = None,
    ) -> None:
        self.failure = ""
        self._on_ready, self._on_failure = on_ready, on_failure
        self._prepare = prepare or prepare_database
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="start", daemon=True)

    def begin(self) -> None:
        self._thread.start()

    def abandon(self) -> None:
        """Stop the thread and wait for its end."""
        self._stopping.set()
        settings.EMBEDDED_SERVERS.abandon_start()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            admin = self._prepare(self._stopping)
        except StartAbandoned:
            pass
        except EmbeddedServerError as error:
            self._fail(str(error))
        except Exception:
            logger.exception("the start failed")
            self._fail("the start failed; the log says why")
        else:
            self._on_ready(admin)
        finally:
            connections.close_all()

    def _fail(self, reason: str) -> None:
        if not self._stopping.is_set():
            self.failure = reason
            self._on_failure()


def prepare_database(stopping: threading.Event, *, creates_admin: bool = True) -> FirstAdmin | None:
    """Start the embedded servers, wait for the database, migrate it, create an admin if there is no user.

    Behind a TLS proxy no admin is created (use `manage.py createsuperuser`): its password would stay in the logs.

    :raises StartAbandoned: once `stopping` is set.
    :raises EmbeddedServerError: an embedded server did not start.
    """
    settings.EMBEDDED_SERVERS.acquire()
    settings.EMBEDDED_SERVERS.supervise()
    while True:
        try:
            with _migration_lock(stopping):
                _migrate()
                _apply_storage_policies()
                return _create_first_admin() if creates_admin and not settings.BEHIND_TLS_PROXY else None
        except OperationalError as error:
            logger.warning("the database is not available yet: %s", " ".join(str(error).split()))
            connection.close()
            if stopping.wait(_RETRY_S):
                raise StartAbandoned from None


def _apply_storage_policies() -> None:
    """Apply the policies; an error is logged, and does not keep the process from serving."""
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
    """Hold the advisory lock, acquired by polling.

    A session that blocks on it inside PostgreSQL holds a snapshot, for which CREATE INDEX CONCURRENTLY in the session
    that has the lock would wait: a deadlock.
    """
    is_logged = False
    while not try_lock_for_session(AdvisoryLock.MIGRATION):
        if not is_logged:
            logger.info("another process is migrating the database; waiting for it")
            is_logged = True
        if stopping.wait(0.2):
            raise StartAbandoned
    try:
        if stopping.is_set():
            raise StartAbandoned
        yield
    finally:
        connection.close()  # which releases the lock
