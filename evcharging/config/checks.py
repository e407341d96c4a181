"""System checks: combinations of settings that cannot be meant, each with an id and what to do about it."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connection


@register(Tags.security)
def check_production(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E001-E003: what must not be so behind a TLS proxy, which is how we know production."""
    if not settings.BEHIND_TLS_PROXY:
        return []
    found: list[CheckMessage] = []
    if settings.DEBUG:
        found.append(
            Error(
                "DEBUG shows the system's insides to everybody.",
                hint="Unset DEBUG, or BEHIND_TLS_PROXY on a machine of your own.",
                id="evcharging.E001",
            )
        )
    if "*" in settings.ALLOWED_HOSTS:
        found.append(
            Error(
                "ALLOWED_HOSTS takes any name, so links in our pages can be made to lead elsewhere.",
                hint="Set ALLOWED_HOSTS to the names under which staff reach the admin.",
                id="evcharging.E002",
            )
        )
    if any(not urlsplit(origin).scheme for origin in settings.CSRF_TRUSTED_ORIGINS):
        found.append(
            Error(
                "CSRF_TRUSTED_ORIGINS needs whole origins.",
                hint="Write https://name, not name.",
                id="evcharging.E003",
            )
        )
    return found


@register()
def check_times(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """E004-E006, E010, E011, W001: times that cut one another short."""
    found: list[CheckMessage] = []
    if settings.DB_HOLD_S <= 0:
        found.append(
            Error(
                "DB_HOLD_S of 0 closes every charger's socket at the first hiccup of the database.",
                hint="30 is the default; chargers repeat what was not answered, but each reconnect costs.",
                id="evcharging.E004",
            )
        )
    if settings.TX_STALE_H <= 0:
        found.append(
            Error(
                "TX_STALE_H of 0 makes every transaction stale, so that no tag's limit holds.",
                hint="24 is the default.",
                id="evcharging.E005",
            )
        )
    if settings.ROLLUP_LAG_S < 2 * settings.DB_HOLDS_MAX * settings.DB_HOLD_S:
        found.append(
            Error(
                "ROLLUP_LAG_S is not eight times DB_HOLD_S: samples could be stored after their time was rolled up.",
                hint="3600 is the default.",
                id="evcharging.E010",
            )
        )
    if 0 < settings.METER_VALUES_RETENTION_DAYS < 7:
        found.append(
            Error(
                "METER_VALUES_RETENTION_DAYS under a week leaves no time for samples that come late.",
                hint="Keep them for 7 days or more, or for ever with 0.",
                id="evcharging.E011",
            )
        )
    if 0 < settings.OCPP_IDLE_LIMIT_S <= settings.OCPP_PING_INTERVAL_S:
        found.append(
            Error(
                "OCPP_IDLE_LIMIT_S is not longer than OCPP_PING_INTERVAL_S: chargers are dropped unasked.",
                hint="Make the limit several intervals long, or 0 to switch it off.",
                id="evcharging.E006",
            )
        )
    if 0 < settings.OCPP_IDLE_LIMIT_S <= settings.OCPP_HEARTBEAT_INTERVAL_S and settings.OCPP_PING_INTERVAL_S == 0:
        found.append(
            Warning(
                "Without pings, a charger that only sends heartbeats is dropped between two of them.",
                hint="Make OCPP_IDLE_LIMIT_S longer than OCPP_HEARTBEAT_INTERVAL_S, or set OCPP_PING_INTERVAL_S.",
                id="evcharging.W001",
            )
        )
    return found


@register(Tags.database)
def check_database(
    app_configs: Sequence[AppConfig] | None, databases: Sequence[str] | None = None, **kwargs: Any
) -> list[CheckMessage]:
    """E007-E009: what the database at hand lacks. Run by `migrate` and `check --database default`."""
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
                f"PostgreSQL {version // 10000} is too old: unique constraints that take nulls for equal need 15.",
                hint="Use PostgreSQL 15 or newer.",
                id="evcharging.E007",
            )
        )
    if encoding != "UTF8":
        found.append(
            Error(
                f"The database's encoding is {encoding}: chargers' texts are UTF-8.",
                hint="Create the database with ENCODING 'UTF8'.",
                id="evcharging.E008",
            )
        )
    if connection.settings_dict["ENGINE"].startswith("timescale") and not has_timescale:
        found.append(
            Error(
                "DATABASE_URL says timescale:// and the server has no TimescaleDB.",
                hint="Install TimescaleDB on the server, or write postgres://.",
                id="evcharging.E009",
            )
        )
    return found
