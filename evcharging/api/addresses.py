"""Names in addresses: an identity or a tag may hold any character, a slash too, percent-encoded.

Django decodes the whole path before it looks for a route, so that an encoded slash would be a slash. EscapedPath takes
the path as it was sent, and leaves in each segment what would mean something to a route; NameConverter puts it right.
"""

import re
from urllib.parse import quote, unquote, unquote_to_bytes

from django.http import HttpRequest

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


class BadPath(Exception):
    """The path holds a broken escape, or bytes that are no text."""


class NameConverter:
    """A path segment that is a name; it is one segment, whatever is in it."""

    regex = "[^/]+"

    def to_python(self, value: str) -> str:
        return unquote(value)

    def to_url(self, value: str) -> str:
        return value.replace("%", "%25").replace("/", "%2F")


def escaped_path(request: HttpRequest) -> str:
    """Return the decoded path with "%" and "/" still escaped inside of its segments.

    :raises BadPath:
    """
    raw: bytes | None = getattr(request, "scope", {}).get("raw_path")
    if raw is None:  # not served by ASGI: the slashes are decoded already
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
    """Return a name as it stands in an address."""
    return quote(name, safe="")
