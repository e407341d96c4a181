"""Tags that were presented at a station: judged, locked for a start, and counted if unknown."""

from datetime import datetime

from id_tags.models import IdTagGroup, fold_id_tag
from id_tags.selectors import authorization_of, authorize, tags_by_folded
from id_tags.services.unknown_tags import note_unknown_id_tag
from id_tags.types import Authorization


def authorize_presented(*, id_tag: str, station_id: int, now: datetime) -> Authorization:
    """Judge a tag as authorize() does (OCPP 1.6 §4.1); count it where it is unknown."""
    return _noted(authorize(id_tag=id_tag, now=now), id_tag, station_id, now)


def lock_presented(*, id_tag: str, station_id: int, now: datetime) -> Authorization:
    """Judge a tag for a start, locked until the end of the database transaction; count it where it is unknown.

    The lock makes two starts of one tag (or of one group that has a limit) count one another. Order: tag, then group.
    """
    tag = tags_by_folded(id_tags=[id_tag], locked=True).get(fold_id_tag(id_tag))
    authorization = authorization_of(tag, now)
    if authorization.limit_group_id is not None:
        IdTagGroup.objects.select_for_update(no_key=True).get(pk=authorization.limit_group_id)
    return _noted(authorization, id_tag, station_id, now)


def _noted(authorization: Authorization, id_tag: str, station_id: int, now: datetime) -> Authorization:
    if authorization.tag_id is None:
        note_unknown_id_tag(id_tag=id_tag, station_id=station_id, now=now)
    return authorization
