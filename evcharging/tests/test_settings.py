"""Settings read the environment: what is right, what is refused, and in which words."""

import os
import re
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from evcharging.config.checks import check_database, check_production, check_times
from evcharging.config.database_url import parse_database_url
from evcharging.config.environment import Environment
from tests.support.live_server import REPOSITORY

EMPTY: dict[str, Any] = {"USER": "", "PASSWORD": "", "HOST": "", "PORT": "", "OPTIONS": {}}
PLAIN, TIMESCALE = "django.db.backends.postgresql", "timescale.db.backends.postgresql"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgres://ann:secret@db.example:5433/fleet",
            {
                "ENGINE": PLAIN,
                "NAME": "fleet",
                "USER": "ann",
                "PASSWORD": "secret",
                "HOST": "db.example",
                "PORT": "5433",
            },
        ),
        ("postgresql:///fleet", {"ENGINE": PLAIN, "NAME": "fleet"}),
        ("timescale://db/fleet", {"ENGINE": TIMESCALE, "NAME": "fleet", "HOST": "db"}),
        (
            "postgres://a%40b:p%2F%3A%23%3F@[::1]:5432/my%20fleet",
            {"ENGINE": PLAIN, "NAME": "my fleet", "USER": "a@b", "PASSWORD": "p/:#?", "HOST": "::1", "PORT": "5432"},
        ),
        (
            "postgres://ann@%2Frun%2FPostgreSQL/fleet",
            {"ENGINE": PLAIN, "NAME": "fleet", "USER": "ann", "HOST": "/run/PostgreSQL"},
        ),
        (
            "postgresql://ann@/fleet?host=/run/PostgreSQL&port=5433",
            {"ENGINE": PLAIN, "NAME": "fleet", "USER": "ann", "HOST": "/run/PostgreSQL", "PORT": "5433"},
        ),
        (
            "postgres://db/fleet?sslmode=verify-full&sslrootcert=/etc/ca.pem",
            {
                "ENGINE": PLAIN,
                "NAME": "fleet",
                "HOST": "db",
                "OPTIONS": {"sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"},
            },
        ),
        (
            "postgres://db/fleet?application_name=007&user=7&password=0012",
            {
                "ENGINE": PLAIN,
                "NAME": "fleet",
                "USER": "7",
                "PASSWORD": "0012",
                "HOST": "db",
                "OPTIONS": {"application_name": "007"},
            },
        ),
    ],
)
def test_database_url_is_read_as_libpq_reads_it(url: str, expected: dict[str, Any]) -> None:
    assert parse_database_url(url) == EMPTY | expected


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost", "DATABASE_URL must look like postgres://user:password@host:5432/name or timescale://…"),
        (
            "mysql://ann:secret@db/fleet",
            "DATABASE_URL must look like postgres://user:password@host:5432/name or timescale://…; "
            "its scheme is 'mysql'",
        ),
        ("postgres://ann:secret@db:port/fleet", "DATABASE_URL cannot be read: its port is not a number below 65536"),
        ("postgres://ann:secret@[db/fleet", "DATABASE_URL cannot be read: Invalid IPv6 URL"),
        ("postgres://ann:secret@db", "DATABASE_URL must name a database: postgres://user:password@host:5432/name"),
        ("postgres://ann:secret@a,b/fleet", "DATABASE_URL must name one host"),
        ("postgres://ann:secret@db/fleet?sslmode", "DATABASE_URL cannot be read: bad query field: 'sslmode'"),
    ],
)
def test_broken_database_url_gets_one_line_without_its_password(url: str, message: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        parse_database_url(url)
    assert str(raised.value) == message


def test_empty_variable_is_the_default() -> None:
    assert Environment({"PORT": " "}).integer("PORT", 9000) == 9000


def test_wrong_variables_are_named() -> None:
    environment = Environment({"N": "many", "I": "1.5", "B": "0", "F": "maybe", "C": "ajar", "X": "nan"})
    messages = []
    for read in (
        lambda: environment.number("N", 1),
        lambda: environment.integer("I", 1),
        lambda: environment.integer("B", 1, minimum=1),
        lambda: environment.integer("I", 1, maximum=1),
        lambda: environment.flag("F"),
        lambda: environment.choice("C", ("open", "closed"), "open"),
        lambda: environment.number("X", 1),
    ):
        with pytest.raises(ImproperlyConfigured) as raised:
            read()
        messages.append(str(raised.value))
    assert messages == [
        "N must be a number, not 'many'",
        "I must be a whole number, not 1.5",
        "B must be at least 1, not 0",
        "I must be at most 1, not 1.5",
        "F must be 1 or 0, not 'maybe'",
        "C must be one of open, closed, not 'ajar'",
        "X must be a number, not 'nan'",
    ]


def test_flags_understand_the_usual_words() -> None:
    environment = Environment({"A": "1", "B": "Yes", "C": "off", "D": "FALSE"})
    assert [environment.flag(name) for name in "ABCD"] == [True, True, False, False]


def test_old_name_is_an_alias() -> None:
    old_names = {"OLD": "NEW"}
    assert Environment({"OLD": "7"}, old_names=old_names).integer("NEW", 1) == 7
    assert Environment({"OLD": "7", "NEW": " 7 "}, old_names=old_names).integer("NEW", 1) == 7
    assert Environment({"OLD": " ", "NEW": "8"}, old_names=old_names).integer("NEW", 1) == 8
    assert Environment({"OLD": "7", "NEW": ""}, old_names=old_names).integer("NEW", 1) == 7
    assert Environment({"OLD": "7"}, old_names=old_names).integer("OTHER", 1) == 1


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OLD": "7", "NEW": "8"}, "NEW and OLD, its old name, differ: unset OLD"),
        ({"OLD": "many"}, "OLD must be a number, not 'many'"),
        ({"OLD": "0"}, "OLD must be at least 1, not 0"),
        ({"OLD": "1.5"}, "OLD must be a whole number, not 1.5"),
    ],
)
def test_wrong_old_name_is_named(variables: dict[str, str], message: str) -> None:
    with pytest.raises(ImproperlyConfigured) as raised:
        Environment(variables, old_names={"OLD": "NEW"}).integer("NEW", 1, minimum=1)
    assert str(raised.value) == message


# The whole settings module, in a process of its own


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run(
        [sys.executable, *command], cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False
    )


def value_of(expression: str, **variables: str) -> str:
    result = run(
        "manage.py",
        "shell",
        "--no-imports",
        "-c",
        f"from django.conf import settings; print({expression})",
        **variables,
    )
    assert result.stderr == ""
    return result.stdout.strip()


@pytest.mark.live
@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PORT": "ninety"}, "PORT must be a number, not 'ninety'"),
        ({"OCPP_ENROLMENT": "maybe"}, "OCPP_ENROLMENT must be one of closed, pending, open, not 'maybe'"),
        ({"REDIS_URL": "localhost"}, "REDIS_URL must look like redis://:password@host:6379/0, rediss://… or unix://…"),
        (
            {"DATABASE_URL": "x"},
            "DATABASE_URL must look like postgres://user:password@host:5432/name or timescale://…",
        ),
        (
            {"STRANGER_RETENTION_DAYS": "7", "REFUSAL_RETENTION_DAYS": "8"},
            "REFUSAL_RETENTION_DAYS and STRANGER_RETENTION_DAYS, its old name, differ: unset STRANGER_RETENTION_DAYS",
        ),
        (
            {"DATA_DIR": "/dev/null/data"},
            "the data folder /dev/null/data cannot be used: Not a directory (set DATA_DIR to a folder you can write)",
        ),
    ],
)
def test_wrong_setting_gets_one_line(short_tmp_path: Path, variables: dict[str, str], message: str) -> None:
    for command in ("check", "migrate", "serve"):
        result = run("manage.py", command, **{"DATA_DIR": str(short_tmp_path), **variables})
        assert (result.returncode, result.stdout, result.stderr) == (1, "", f"error: {message}\n")


@pytest.mark.live
def test_database_that_is_not_there_gets_one_line(short_tmp_path: Path) -> None:
    url = f"postgres://ann:secret@/fleet?host={short_tmp_path}"
    result = run("manage.py", "migrate", DATA_DIR=str(short_tmp_path), DATABASE_URL=url)
    assert result.returncode == 1
    assert result.stderr.startswith("error: the database cannot be used: ")
    assert result.stderr.count("\n") == 1
    assert "secret" not in result.stderr


@pytest.mark.live
def test_secret_key_is_made_once_and_kept_private(short_tmp_path: Path) -> None:
    first = value_of("settings.SECRET_KEY", DATA_DIR=str(short_tmp_path))
    assert value_of("settings.SECRET_KEY", DATA_DIR=str(short_tmp_path)) == first
    assert len(first) == 64
    assert stat.filemode((short_tmp_path / "secret_key").stat().st_mode) == "-rw-------"


@pytest.mark.live
def test_nothing_is_written_where_everything_is_given(short_tmp_path: Path) -> None:
    given = {"SECRET_KEY": "k", "DATABASE_URL": "postgres://db/x", "REDIS_URL": "redis://cache"}
    assert value_of("settings.DATA_DIR", DATA_DIR=str(short_tmp_path / "none"), **given) == str(
        short_tmp_path / "none"
    )
    assert list(short_tmp_path.iterdir()) == []


@pytest.mark.live
def test_allowed_hosts_are_this_machine_unless_told(short_tmp_path: Path) -> None:
    def hosts(**variables: str) -> str:
        return value_of("settings.ALLOWED_HOSTS", DATA_DIR=str(short_tmp_path), **variables)

    assert hosts() == "['localhost', '127.0.0.1', '[::1]']"
    assert hosts(BIND="192.0.2.1") == "['localhost', '127.0.0.1', '[::1]', '192.0.2.1']"
    assert hosts(BIND="2001:db8::1") == "['localhost', '127.0.0.1', '[::1]', '[2001:db8::1]']"
    assert hosts(ALLOWED_HOSTS="a.example, b.example") == "['a.example', 'b.example']"


@pytest.mark.live
@pytest.mark.parametrize("old", settings.OLD_NAMES)
def test_every_old_name_still_sets_its_setting(short_tmp_path: Path, old: str) -> None:
    new = settings.OLD_NAMES[old]
    assert value_of(f"settings.{new}", DATA_DIR=str(short_tmp_path), **{old: "17"}) == "17"


def test_settings_are_the_only_reader_of_the_environment() -> None:
    readers = [
        str(path.relative_to(REPOSITORY))
        for path in sorted(REPOSITORY.glob("[!.]*/**/*.py"))
        if not {"tests", "bench", "scripts", "var", "node_modules"} & set(path.relative_to(REPOSITORY).parts)
        and re.search(r"\bos\.(environ|getenv)\b", path.read_text())
    ]
    assert readers == ["evcharging/asgi.py", "evcharging/settings.py"]


def test_deployment_page_lists_every_variable() -> None:
    page = (REPOSITORY / "docs/operations/deploy.md").read_text()
    assert set(re.findall(r"^\| `([A-Z_0-9]+)` \|", page, re.MULTILINE)) == settings.ENVIRONMENT.names
    assert set(re.findall(r"old name: `([A-Z_0-9]+)` \|$", page, re.MULTILINE)) == set(settings.OLD_NAMES)


# System checks


def ids(messages: list[Any]) -> list[str]:
    return [message.id for message in messages]


def test_checks_find_nothing_in_the_defaults() -> None:
    call_command("check")


def test_production_checks_name_what_must_not_be() -> None:
    with override_settings(
        BEHIND_TLS_PROXY=True, DEBUG=True, ALLOWED_HOSTS=["*"], CSRF_TRUSTED_ORIGINS=["charging.example"]
    ):
        assert ids(check_production(None)) == ["evcharging.E001", "evcharging.E002", "evcharging.E003"]


def test_time_checks_name_what_cuts_what_short() -> None:
    with override_settings(DB_HOLD_S=0, TX_STALE_H=0, OCPP_IDLE_LIMIT_S=30, OCPP_PING_INTERVAL_S=60):
        assert ids(check_times(None)) == ["evcharging.E004", "evcharging.E005", "evcharging.E006"]
    with override_settings(OCPP_IDLE_LIMIT_S=200, OCPP_PING_INTERVAL_S=0, OCPP_HEARTBEAT_INTERVAL_S=300):
        assert ids(check_times(None)) == ["evcharging.W001"]
    with override_settings(ROLLUP_LAG_S=600, DB_HOLD_S=76, METER_VALUES_RETENTION_DAYS=6):
        assert ids(check_times(None)) == ["evcharging.E010", "evcharging.E011"]
    with override_settings(ROLLUP_LAG_S=600, DB_HOLD_S=75):
        assert ids(check_times(None)) == []


@pytest.mark.django_db
def test_database_checks_find_nothing_in_the_embedded_server() -> None:
    assert check_database(None, databases=["default"]) == []


@pytest.mark.django_db
def test_timescale_url_without_timescale_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(connection.settings_dict, "ENGINE", TIMESCALE)
    assert ids(check_database(None, databases=["default"])) == ["evcharging.E009"]
