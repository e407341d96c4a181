"""The local authorization list and the authorization cache (OCPP 1.6 §3.5)."""

from collections.abc import Iterable
from typing import Any

MAX_LENGTH, SEND_MAX_LENGTH = 1000, 100


class LocalList:
    """The local authorization list, which takes precedence over the cache. Version 0 means that it is empty."""

    def __init__(self) -> None:
        self.version = 0
        self._entries: dict[str, dict[str, Any]] = {}

    def info(self, id_tag: str) -> dict[str, Any] | None:
        return self._entries.get(id_tag.casefold())

    def update(self, version: int, update_type: str, entries: Iterable[dict[str, Any]]) -> str:
        """Apply a SendLocalList whole or not at all and return its status (OCPP 1.6 §5.15).

        In a differential update an entry without `id_tag_info` removes the tag.
        """
        entries = list(entries)
        tags = [entry["id_tag"].casefold() for entry in entries]
        if version <= 0 or len(entries) > SEND_MAX_LENGTH or len(set(tags)) != len(tags):
            return "Failed"
        is_full = update_type == "Full"
        if is_full and any("id_tag_info" not in entry for entry in entries):
            return "Failed"
        if not is_full and version <= self.version:
            return "VersionMismatch"
        updated = {} if is_full else dict(self._entries)
        for tag, entry in zip(tags, entries, strict=True):
            if "id_tag_info" in entry:
                updated[tag] = entry["id_tag_info"]
            else:
                updated.pop(tag, None)
        if len(updated) > MAX_LENGTH:
            return "Failed"
        self._entries = updated
        self.version = version if updated else 0
        return "Accepted"


class AuthorizationCache:
    """The idTagInfo that the central system last sent for each tag."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, Any]] = {}

    def info(self, id_tag: str) -> dict[str, Any] | None:
        return self._entries.get(id_tag.casefold())

    def store(self, id_tag: str, info: dict[str, Any]) -> None:
        self._entries[id_tag.casefold()] = info

    def clear(self) -> None:
        self._entries.clear()
