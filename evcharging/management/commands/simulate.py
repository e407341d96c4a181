"""manage.py simulate: charge points that run charging sessions at any OCPP 1.6 central system."""

import asyncio
import logging
import math
import signal
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from evcharging.simulator.identities import id_tag_of, identity_of
from evcharging.simulator.plan import SESSION_S, Plan
from evcharging.simulator.run_statistics import RunStatistics
from evcharging.simulator.runner import Unreachable, check_reachable, simulate
from id_tags.services.tags import import_id_tag
from stations.models import RegistrationStatus
from stations.passwords import hash_password
from stations.services.enrolment import import_station

MAX_ERRORS = 20
MAX_STATIONS = 9999


class Command(BaseCommand):
    help = "Simulate charge points (SIM-0001 …) at a central system; exits with 1 if any error occurred."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--url", default=_own_url(), help="WebSocket URL of the central system, without the identity (%(default)s)"
        )
        parser.add_argument(
            "--stations", type=int, default=1, metavar="N", help="number of charge points (%(default)s)"
        )
        parser.add_argument(
            "--sessions",
            type=int,
            default=1,
            metavar="K",
            help="sessions of each charge point, one after another (%(default)s)",
        )
        parser.add_argument(
            "--duration", type=float, metavar="SECONDS", help="run sessions for so long, instead of --sessions"
        )
        parser.add_argument(
            "--speed",
            type=float,
            default=SESSION_S / 15,
            metavar="FACTOR",
            help="simulated seconds per second (%(default)g: a session of half an hour takes 15 s); lower where "
            "sessions would otherwise overlap those of the run before",
        )
        parser.add_argument(
            "--seed", type=int, help="seed of the random numbers; the same seed simulates the same vehicles"
        )
        parser.add_argument(
            "--password", default="", help="HTTP Basic password of every charge point; also registered"
        )
        parser.add_argument(
            "--keep-connected",
            action="store_true",
            help="stay connected after the sessions and answer commands until Ctrl-C",
        )
        parser.add_argument(
            "--no-register",
            action="store_true",
            help="for another central system: do not add stations and id tags (SIM-TAG-0001 …) to our database",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the simulation.

        :raises CommandError: the URL is unreachable, an option is invalid, or an error occurred during the run.
        """
        logging.getLogger("evcharging.simulator").setLevel(
            logging.DEBUG if logging.getLogger().isEnabledFor(logging.DEBUG) else logging.CRITICAL
        )
        plan = _plan(options)
        try:
            asyncio.run(check_reachable(plan.url))
            if not options["no_register"]:
                self._register(plan)
            statistics = asyncio.run(self._simulate(plan))
        except Unreachable as error:
            raise CommandError(str(error)) from None
        self._check_errors(statistics)

    def _register(self, plan: Plan) -> None:
        """Add the stations and their id tags to the database, accepted; a database error is only reported."""
        now = timezone.now()
        try:
            with transaction.atomic():
                for number in range(1, plan.stations + 1):
                    import_station(
                        identity=identity_of(number),
                        name=None,
                        registration_status=RegistrationStatus.ACCEPTED,
                        password=plan.password,
                        now=now,
                    )
                    import_id_tag(id_tag=id_tag_of(number), note="Simulated")
        except DatabaseError as error:
            reason = " ".join(str(error).split())
            self.stderr.write(
                f"stations not registered: the database is not available (--no-register skips this): {reason}"
            )
        finally:
            connection.close()
            settings.EMBEDDED_SERVERS.release()  # otherwise they would run until this command ends

    async def _simulate(self, plan: Plan) -> RunStatistics:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def on_signal(number: int) -> None:
            loop.remove_signal_handler(number)  # the default handler ends the process on a second signal
            stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, on_signal, number)
        return await simulate(plan, self._write_line, stop)

    def _write_line(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def _check_errors(self, statistics: RunStatistics) -> None:
        lines = statistics.error_lines()
        if not lines:
            return
        for line in lines[1:MAX_ERRORS]:
            self.stderr.write(f"error: {line}")
        if len(lines) > MAX_ERRORS:
            self.stderr.write(f"… and {len(lines) - MAX_ERRORS} more")
        raise CommandError(lines[0])


def _plan(options: dict[str, Any]) -> Plan:
    """Build the plan from the options.

    :raises CommandError: an option is invalid.
    """
    _check(options)
    return Plan(
        url=options["url"].rstrip("/"),
        stations=options["stations"],
        sessions=options["sessions"],
        speed=options["speed"],
        duration_s=options["duration"],
        seed=options["seed"],
        password=options["password"],
        keep_connected=options["keep_connected"],
        state_dir=settings.DATA_DIR / "simulator",
    )


def _check(options: dict[str, Any]) -> None:
    try:
        parts = urlsplit(options["url"])
        is_url = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise CommandError(f"--url must look like ws://host:9000/ocpp, not {options['url']}")
    if not 1 <= options["stations"] <= MAX_STATIONS:
        raise CommandError(f"--stations must be from 1 to {MAX_STATIONS}")
    if options["sessions"] < 0:
        raise CommandError("--sessions must not be negative")
    if not 1 <= options["speed"] < math.inf:
        raise CommandError("--speed must be 1 or more")
    if options["duration"] is not None and not 0 < options["duration"] < math.inf:
        raise CommandError("--duration must be more than 0")
    if options["password"]:
        try:
            hash_password(options["password"])
        except ValueError as error:
            raise CommandError(f"--password: {error}") from None


def _own_url() -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.BIND, settings.BIND)
    if ":" in host and not host.startswith("["):
        host = f"[{host}]"
    return f"ws://{host}:{settings.PORT}/ocpp"
