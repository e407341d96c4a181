"""System checks of settings and of the database, each with an id and a hint."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection


@register(Tags.security)
def check_production(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E001-E003: settings that are unsafe in production, which is known by BEHIND_TLS_PROXY."""
    if not settings.BEHIND_TLS_PROXY:
        return []
    found: list[CheckMessage] = []
    if settings.DEBUG:
        found.append(
            Error(
                "DEBUG shows settings, code and data on error pages.",
                hint="Unset DEBUG; on a developer's machine unset BEHIND_TLS_PROXY.",
                id="evcharging.E001",
            )
        )
    if "*" in settings.ALLOWED_HOSTS:
        found.append(
            Error(
                "ALLOWED_HOSTS allows any host name, so that a forged Host header changes the links in pages.",
                hint="Set ALLOWED_HOSTS to the host names of the back office.",
                id="evcharging.E002",
            )
        )
    if any(not urlsplit(origin).scheme for origin in settings.CSRF_TRUSTED_ORIGINS):
        found.append(
            Error(
                "CSRF_TRUSTED_ORIGINS has an origin without a scheme.",
                hint="Write https://name, not name.",
                id="evcharging.E003",
            )
        )
    return found


@register()
def check_times(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E004-E006, E010, E011, W001: times that contradict each other."""
    found: list[CheckMessage] = []
    if settings.DB_HOLD_S <= 0:
        found.append(
            Error(
                "With DB_HOLD_S=0 every database error closes the sockets of all chargers.",
                hint="Use the default, 30: chargers repeat unanswered messages, but each has to reconnect.",
                id="evcharging.E004",
            )
        )
    if settings.TX_STALE_H <= 0:
        found.append(
            Error(
                "With TX_STALE_H=0 every transaction is stale, so that no tag's limit applies.",
                hint="Use the default, 24.",
                id="evcharging.E005",
            )
        )
    if settings.ROLLUP_LAG_S < 2 * settings.DB_HOLDS_MAX * settings.DB_HOLD_S:
        found.append(
            Error(
                "ROLLUP_LAG_S is less than 8 * DB_HOLD_S: samples could be stored after the roll-up of their time.",
                hint="Use the default, 3600.",
                id="evcharging.E010",
            )
        )
    if 0 < settings.METER_VALUES_RETENTION_DAYS < 7:
        found.append(
            Error(
                "METER_VALUES_RETENTION_DAYS is less than 7: late samples would be deleted before they are rolled up.",
                hint="Set it to 7 or more, or to 0 to keep samples for ever.",
                id="evcharging.E011",
            )
        )
    if 0 < settings.OCPP_IDLE_LIMIT_S <= settings.OCPP_PING_INTERVAL_S:
        found.append(
            Error(
                "OCPP_IDLE_LIMIT_S is not above OCPP_PING_INTERVAL_S: chargers are disconnected before a ping.",
                hint="Set the limit to several intervals, or to 0 to disable it.",
                id="evcharging.E006",
            )
        )
    if 0 < settings.OCPP_IDLE_LIMIT_S <= settings.OCPP_HEARTBEAT_INTERVAL_S and settings.OCPP_PING_INTERVAL_S == 0:
        found.append(
            Warning(
                "Without pings, a charger that only sends heartbeats is disconnected between two of them.",
                hint="Set OCPP_IDLE_LIMIT_S above OCPP_HEARTBEAT_INTERVAL_S, or set OCPP_PING_INTERVAL_S.",
                id="evcharging.W001",
            )
        )
    return found


@register(Tags.database)
def check_database(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """E007-E009: version, encoding and extension of the database; run by `migrate` and `check --database default`."""
    if "default" not in (databases or []):
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int, current_setting('server_encoding')")
        version, encoding = cursor.fetchone()
        cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'timescaledb'")
        has_timescale = cursor.fetchone() is not None
    found: list[CheckMessage] = []
    if version < 150000:
        found.append(
            Error(
                f"PostgreSQL {version // 10000} is too old: UNIQUE NULLS NOT DISTINCT needs 15.",
                hint="Use PostgreSQL 15 or newer.",
                id="evcharging.E007",
            )
        )
    if encoding != "UTF8":
        found.append(
            Error(
                f"The encoding of the database is {encoding}: chargers send UTF-8.",
                hint="Create the database with ENCODING 'UTF8'.",
                id="evcharging.E008",
            )
        )
    if connection.settings_dict["ENGINE"].startswith("timescale") and not has_timescale:
        found.append(
            Error(
                "DATABASE_URL has the scheme timescale:// and the server has no TimescaleDB.",
                hint="Install TimescaleDB on the server, or use postgres://.",
                id="evcharging.E009",
            )
        )
    return found
