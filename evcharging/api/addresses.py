"""Names in paths: an identity or a tag may contain any character, percent-encoded, even a slash.

Django decodes the whole path before it resolves the route, so that an encoded slash would split a segment.
escaped_path() decodes the raw path and keeps "%" and "/" inside of segments encoded; NameConverter decodes these.
"""

import re
from urllib.parse import quote, unquote, unquote_to_bytes

from django.http import HttpRequest

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class BadPath(Exception):
    """The path has an invalid escape, or is not UTF-8."""


class NameConverter:
    """Converts one path segment to a name of any characters."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return unquote(value)

    def to_url(self, value: str) -> str:
        return value.replace("%", "%25").replace("/", "%2F")


def escaped_path(request: HttpRequest) -> str:
    """Return the decoded path, with "%" and "/" inside of its segments still encoded.

    :raises BadPath:
    """
    raw: bytes | None = getattr(request, "scope", {}).get("raw_path")
    if raw is None:  # not served by ASGI: encoded slashes are already decoded
        return _storable(request.path_info).replace("%", "%25")
    if _BAD_ESCAPE.search(raw):
        raise BadPath("There is a % that begins no escape.")
    try:
        segments = [unquote_to_bytes(segment).decode() for segment in raw.split(b"?")[0].split(b"/")]
    except UnicodeDecodeError:
        raise BadPath("The path is not UTF-8.") from None
    return "/".join(_storable(segment).replace("%", "%25").replace("/", "%2F") for segment in segments)


def _storable(text: str) -> str:
    if "\0" in text:
        raise BadPath("There is a NUL in the path.")
    return text


def name_in_address(name: str) -> str:
    """Return a name percent-encoded as one path segment."""
    return quote(name, safe="")
