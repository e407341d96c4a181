"""Local authorisation lists: which tags a station may accept by itself, sent whole or by difference."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from id_tags.models import IdTag, LocalList, LocalListUpdate, LocalListUpdateStatus, fold_id_tag
from id_tags.operations import (
    DIFFERENTIAL,
    FULL,
    ListedTag,
    ReadLocalListVersion,
    SendLocalList,
    TagStatus,
)
from id_tags.selectors import authorization_of, known_tag
from stations.dialects import Limit, Verdict, dialect_of
from stations.models import Command, CommandStatus, CommandVia, Station
from stations.operations import read_operation, words_of
from stations.services.commands import CommandRefused, request_command
from stations.services.configuration import limit_of
from stations.types import Origin

PART = 250
"""Tags of one SendLocalList where the station does not say how many it takes (Limit.LOCAL_LIST_PART)."""
List = Mapping[str, Any]


@transaction.atomic
def request_local_list(
    *,
    station_id: int,
    tags: Iterable[IdTag],
    update_type: str = "",
    origin: Origin,
) -> LocalListUpdate:
    """Make these tags the station's local list (OCPP 1.6 §5.15), by difference where the station is in step.

    More tags than one message may carry go as one Full and then Differentials, each after the one before was accepted.
    Where a Differential fails, a Full follows. `update_type`: "" chooses. Tags that are too long for a frame of the
    station's protocol version are authorised online only.

    :raises CommandRefused: an update is on its way already, nothing would change, too many tags, or our own rules.
    """
    if LocalListUpdate.objects.filter(station_id=station_id, status=LocalListUpdateStatus.SENDING).exists():
        raise CommandRefused("a local list is on its way to the station already")
    tags, station = list(tags), Station.objects.get(pk=station_id)
    longest = dialect_of(station.version).max_id_tag
    wanted = {tag.id_tag_folded: [tag.id_tag, told(tag, origin.now)] for tag in tags if len(tag.id_tag) <= longest}
    left_out = len(tags) - len(wanted)
    most = limit_of(station=station, limit=Limit.LOCAL_LIST_TAGS)
    if most is not None and len(wanted) > most:
        raise CommandRefused(f"the station takes at most {most} tags in its local list, not {len(wanted)}")
    known = LocalList.objects.select_for_update(no_key=True).filter(station_id=station_id).first()
    if not update_type:
        update_type = DIFFERENTIAL if known is not None and known.is_in_step else FULL
    if update_type == DIFFERENTIAL and known is not None and known.entries == wanted:
        raise CommandRefused("the station has this list already")
    update = LocalListUpdate(
        station=station, wanted=wanted, requested_by=origin.requested_by[:150], via=origin.via, created_at=origin.now
    )
    if left_out:
        update.note = f"{left_out} tags are longer than {longest} characters and were left out"
    _plan(update, update_type, known)
    update.save(force_insert=True)
    _send_next(update, origin.now, origin.reason)
    if update.command is not None and update.command.status == CommandStatus.NOT_CONNECTED:
        raise CommandRefused("the station is not connected")
    return update


def told(tag: IdTag, now: datetime) -> dict[str, str]:
    """Return what a station is told of a tag; its limit cannot be told."""
    return authorization_of(known_tag(tag), now).told()


def check_local_list(command: Command) -> None:
    """Hold a SendLocalList to the rules: a version above 0 (1.6 errata 3.52), in a Full an authorization of every tag.

    :raises CommandRefused:
    """
    said = None if command.allows_invalid else command.said
    if not isinstance(said, SendLocalList):
        return
    if said.version < 1:
        raise CommandRefused("the version of a local list is above 0 (1.6 errata 3.52)")
    if said.update == FULL and any(tag.authorization is None for tag in said.tags or ()):
        raise CommandRefused("a Full update says of every tag whether it may charge (idTagInfo)")
    known = LocalList.objects.filter(station_id=command.station_id).first()
    if said.update == DIFFERENTIAL and known is not None and said.version <= known.version:
        raise CommandRefused(f"the station has version {known.version}: a Differential needs a higher one")


@transaction.atomic
def apply_local_list_answer(*, command: Command, now: datetime) -> None:
    """Take over what a station answered about its list, and go on with the update that the command was a part of."""
    if command.operation == ReadLocalListVersion.name and command.succeeded:
        _note_version(command, now)
        return
    if command.operation != SendLocalList.name:
        return
    if command.succeeded:
        _note_accepted(command, now)
    update = (
        LocalListUpdate.objects.select_for_update(no_key=True)
        .filter(command=command, status=LocalListUpdateStatus.SENDING)
        .first()
    )
    if update is None:
        return
    if command.succeeded and update.remaining:
        _go_on(update, now, command.reason)
    elif command.succeeded:
        _end(update, LocalListUpdateStatus.ACCEPTED, now, "")
    elif command.verdict == Verdict.OUT_OF_STEP and update.update_type == DIFFERENTIAL:
        known = LocalList.objects.filter(station_id=update.station_id).first()
        _plan(update, FULL, known)
        update.note = f"Differential: {command.result_status}; a Full followed"
        _go_on(update, now, command.reason)
    else:
        _end(update, LocalListUpdateStatus.FAILED, now, command.result_status or command.get_status_display())


def _plan(update: LocalListUpdate, update_type: str, known: LocalList | None) -> None:
    """Cut the update into the operations that bring it about."""
    base = max(known.version, known.reported_version or 0) if known is not None else 0
    if update_type == FULL or known is None:
        entries = [_listed(tag, info) for tag, info in update.wanted.values()]
    else:
        entries = _difference(known.entries, update.wanted)
    size = limit_of(station=update.station, limit=Limit.LOCAL_LIST_PART) or PART
    groups = [entries[start : start + size] for start in range(0, len(entries), size)] or [[]]
    update.update_type, update.parts = update_type, len(groups)
    update.remaining = [
        SendLocalList(version=base + number, update=update_type if number == 1 else DIFFERENTIAL, tags=group).to_json()
        for number, group in enumerate(groups, 1)
    ]


def _difference(known: List, wanted: List) -> list[ListedTag]:
    """Return the entries that turn one list into the other; one without an authorization removes its tag."""
    changed = [_listed(*entry) for key, entry in wanted.items() if known.get(key) != entry]
    return changed + [ListedTag(id_tag=entry[0]) for key, entry in known.items() if key not in wanted]


def _listed(id_tag: str, authorization: Mapping[str, Any]) -> ListedTag:
    return ListedTag(id_tag=id_tag, authorization=TagStatus(**authorization))


def _go_on(update: LocalListUpdate, now: datetime, reason: str) -> None:
    try:
        with transaction.atomic():
            _send_next(update, now, reason)
    except CommandRefused as error:  # staff rejected the station meanwhile
        update.refresh_from_db(fields=["command"])
        _end(update, LocalListUpdateStatus.FAILED, now, str(error))


def _send_next(update: LocalListUpdate, now: datetime, reason: str) -> None:
    arguments, *update.remaining = update.remaining
    via = update.via if update.command is None else CommandVia.SYSTEM
    part = f"part {update.parts - len(update.remaining)} of {update.parts}"
    update.command = request_command(
        station_id=update.station_id,
        operation=read_operation(SendLocalList.name, arguments),
        origin=Origin(update.requested_by, via, now, reason or part),
        parent=update.command,
    )
    update.save()
    if update.command.has_ended:
        _end(update, LocalListUpdateStatus.FAILED, now, "the station is not connected")


def _end(update: LocalListUpdate, status: str, now: datetime, note: str) -> None:
    update.status, update.ended_at = status, now
    update.note = note[:200] or update.note
    update.save()


def _note_accepted(command: Command, now: datetime) -> None:
    said = command.said
    if not isinstance(said, SendLocalList):
        return
    row, _ = LocalList.objects.select_for_update(no_key=True).get_or_create(station_id=command.station_id)
    entries = {} if said.update == FULL else dict(row.entries)
    for tag in said.tags or ():
        key = fold_id_tag(tag.id_tag)
        if tag.authorization is not None:
            entries[key] = [tag.id_tag, dict(words_of(tag.authorization))]
        else:
            entries.pop(key, None)
    row.entries, row.version, row.updated_at = entries, said.version, now
    row.reported_version = None
    row.save()


def _note_version(command: Command, now: datetime) -> None:
    version = (command.result or {}).get("version")
    if not isinstance(version, int) or not -(2**31) <= version < 2**31:
        return
    row, _ = LocalList.objects.select_for_update(no_key=True).get_or_create(station_id=command.station_id)
    row.reported_version, row.reported_at = version, now
    if version <= 0:
        row.version, row.entries = 0, {}
    row.save()
