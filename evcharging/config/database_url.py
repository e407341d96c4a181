"""DATABASE_URL to Django's DATABASES entry: dj-database-url, with libpq's query parameters and one-line errors."""

from typing import Any
from urllib.parse import SplitResult, parse_qsl, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

_SCHEMES = ("postgres", "postgresql", "timescale")
_EXAMPLE = "postgres://user:password@host:5432/name"
#: Query parameters by which libpq overrides a part of the URL.
_PARTS = {"user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT", "dbname": "NAME"}


def parse_database_url(url: str) -> dict[str, Any]:
    """Return ENGINE, NAME, USER, PASSWORD, HOST, PORT and OPTIONS for `url`, as libpq reads it.

    Every part may be percent-encoded; a host that starts with a slash (percent-encoded, or as ?host=/run/postgresql)
    is the directory of a Unix socket; every other query parameter (sslmode=…) is a connection option.

    :raises ImproperlyConfigured: with one line that shows neither user nor password.
    """
    query = _checked_query(url)
    parsed: dict[str, Any] = {**dj_database_url.parse(url)}
    database: dict[str, Any] = {name: str(parsed[name]) for name in ("ENGINE", *_PARTS.values())}
    # Not the library's OPTIONS, where a password or an application_name of digits is a number.
    database |= {_PARTS[name]: value for name, value in query.items() if name in _PARTS}
    database["OPTIONS"] = {name: value for name, value in query.items() if name not in _PARTS}
    if not database["NAME"]:
        raise ImproperlyConfigured(f"DATABASE_URL must name a database: {_EXAMPLE}")
    return database


def _checked_query(url: str) -> dict[str, str]:
    """Return the query parameters of a URL that the library can read and that names one PostgreSQL server."""
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _SCHEMES:
        found = f"; its scheme is {scheme!r}" if separator else ""
        raise ImproperlyConfigured(f"DATABASE_URL must look like {_EXAMPLE} or timescale://…{found}")
    try:
        parts = urlsplit(url)
        _check_port(parts)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from None
    if "," in parts.netloc.rpartition("@")[2]:
        raise ImproperlyConfigured("DATABASE_URL must name one host")
    return query


def _check_port(parts: SplitResult) -> None:
    try:
        _ = parts.port
    except ValueError:  # whose own text could show a part of the password
        raise ValueError("its port is not a number below 65536") from None
