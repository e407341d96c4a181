"""Operations on the local authorisation list of a station."""

from stations.operations import Arguments, Instant, Operation, operation

FULL, DIFFERENTIAL = "Full", "Differential"


class TagStatus(Arguments, frozen=True):
    """Whether a tag may charge, as a station is told: a word of id_tags.models.IdTagStatus or ConcurrentTx."""

    status: str
    expires_at: Instant | None = None
    group_id_tag: str | None = None


class ListedTag(Arguments, frozen=True):
    """One entry; without an authorization it takes the tag out of the list."""

    id_tag: str
    authorization: TagStatus | None = None


@operation
class SendLocalList(Operation, frozen=True):
    """`update` is Full or Differential."""

    name = "send_local_list"
    source = "OCPP 1.6 §5.15"
    purpose = "Give the station tags to authorise by itself."

    version: int
    update: str
    tags: list[ListedTag] | None = None


@operation
class ReadLocalListVersion(Operation, frozen=True):
    name = "read_local_list_version"
    source = "OCPP 1.6 §5.10"
    purpose = "Ask which local list the station has."
