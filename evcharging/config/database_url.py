"""DATABASE_URL to Django's DATABASES entry: postgres, postgresql and timescale URLs."""

from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

_ENGINES = {
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "timescale": "timescale.db.backends.postgresql",
}
#: Query parameters of a URL that are connection settings of Django's own and not libpq's.
_DJANGO_PARAMETERS = {"user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT", "dbname": "NAME"}


def _port(parts: SplitResult) -> int | None:
    try:
        return parts.port
    except ValueError:  # whose own text could show a part of the password
        raise ValueError("its port is not a number below 65536") from None


def parse_database_url(url: str) -> dict[str, Any]:
    """Return ENGINE, NAME, USER, PASSWORD, HOST, PORT and OPTIONS for `url`.

    As libpq reads it: every part may be percent-encoded, a host that starts with a slash (percent-encoded, or as
    ?host=/run/postgresql) is the folder of a unix socket, and every other query parameter (sslmode=…) is an option
    of the connection.

    :raises ImproperlyConfigured: with one line that shows neither user nor password.
    """
    scheme, separator, _ = url.partition("://")
    if not separator or scheme not in _ENGINES:
        raise ImproperlyConfigured(
            "DATABASE_URL must look like postgres://user:password@host:5432/name or timescale://…; "
            f"its scheme is {scheme!r}"
            if separator
            else "DATABASE_URL must look like postgres://user:password@host:5432/name or timescale://…"
        )
    try:
        parts = urlsplit(url)
        port = _port(parts)
        query = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise ImproperlyConfigured(f"DATABASE_URL cannot be read: {error}") from None
    _, _, address = parts.netloc.rpartition("@")
    if "," in address:
        raise ImproperlyConfigured("DATABASE_URL must name one host")
    host = parts.hostname or ""
    if host.startswith("%2f"):  # urlsplit lowers the host, and a socket's folder has its case
        host = address if port is None else address.rpartition(":")[0]
    database: dict[str, Any] = {
        "ENGINE": _ENGINES[scheme],
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(host),
        "PORT": str(port or ""),
        "OPTIONS": {},
    }
    for name, value in query.items():
        if name in _DJANGO_PARAMETERS:
            database[_DJANGO_PARAMETERS[name]] = value
        else:
            database["OPTIONS"][name] = value
    if not database["NAME"]:
        raise ImproperlyConfigured("DATABASE_URL must name a database: postgres://user:password@host:5432/name")
    return database
