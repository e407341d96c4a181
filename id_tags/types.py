"""What an authorisation says."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class KnownTag(NamedTuple):
    """What is needed to judge a tag: of its row, and of its group's (None without one)."""

    pk: int
    status: str
    expires_at: datetime | None
    max_active_transactions: int | None
    group_id: int | None
    parent_id_tag: str | None
    group_max_active_transactions: int | None


@dataclass(frozen=True, slots=True)
class Authorization:
    """Whether a tag may charge (OCPP 1.6 §7.1), with what is needed to count its transactions.

    `status` is OCPP's word. `tag_id` is None for a tag nobody knows. `limit` is None for unlimited; it holds for the
    whole group where `limit_group_id` is set.
    """

    status: str
    parent_id_tag: str | None = None
    expires_at: datetime | None = None
    tag_id: int | None = None
    group_id: int | None = None
    limit: int | None = 1
    limit_group_id: int | None = None

    @property
    def is_accepted(self) -> bool:
        return self.status == "Accepted"

    def told(self) -> dict[str, str]:
        """Return what a station is told, as rows keep it: status, expires_at (ISO 8601) and group_id_tag."""
        told = {"status": self.status}
        if self.expires_at is not None:
            told["expires_at"] = self.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        if self.parent_id_tag is not None:
            told["group_id_tag"] = self.parent_id_tag
        return told
