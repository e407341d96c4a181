"""Local authorisation lists: which tags a station may accept by itself, sent whole or by difference."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction

from id_tags.models import IdTag, LocalList, LocalListUpdate, LocalListUpdateStatus, fold_id_tag
from id_tags.selectors import authorization_of, known_tag
from stations.models import Command, CommandStatus, CommandVia
from stations.services.commands import CommandRefused, request_command
from stations.services.configuration import integer_value

PART = 250
"""Tags of one SendLocalList where the station does not say how many it takes (SendLocalListMaxLength)."""
MAX_ID_TAG = 20
"""What OCPP's schema has room for; longer ones are authorised online only."""
FULL, DIFFERENTIAL = "Full", "Differential"
List = Mapping[str, Any]


@transaction.atomic
def request_local_list(
    *,
    station_id: int,
    tags: Iterable[IdTag],
    update_type: str = "",
    requested_by: str,
    via: str,
    now: datetime,
    reason: str = "",
) -> LocalListUpdate:
    """Make these tags the station's local list (OCPP 1.6 §5.15), by difference where the station is in step.

    More tags than one message may carry go as one Full and then Differentials, each after the one before was accepted.
    Where a Differential fails, a Full follows. `update_type`: "" chooses.

    :raises CommandRefused: an update is on its way already, nothing would change, too many tags, or our own rules.
    """
    if LocalListUpdate.objects.filter(station_id=station_id, status=LocalListUpdateStatus.SENDING).exists():
        raise CommandRefused("a local list is on its way to the station already")
    tags = list(tags)
    wanted = {tag.id_tag_folded: [tag.id_tag, id_tag_info(tag, now)] for tag in tags if len(tag.id_tag) <= MAX_ID_TAG}
    left_out = len(tags) - len(wanted)
    most = integer_value(station_id=station_id, key="LocalAuthListMaxLength")
    if most is not None and len(wanted) > most:
        raise CommandRefused(f"the station takes at most {most} tags in its local list, not {len(wanted)}")
    known = LocalList.objects.select_for_update(no_key=True).filter(station_id=station_id).first()
    if not update_type:
        update_type = DIFFERENTIAL if known is not None and known.is_in_step else FULL
    if update_type == DIFFERENTIAL and known is not None and known.entries == wanted:
        raise CommandRefused("the station has this list already")
    update = LocalListUpdate(
        station_id=station_id, wanted=wanted, requested_by=requested_by[:150], via=via, created_at=now
    )
    if left_out:
        update.note = f"{left_out} tags are longer than {MAX_ID_TAG} characters and were left out"
    _plan(update, update_type, known)
    update.save(force_insert=True)
    _send_next(update, now, reason)
    if update.command is not None and update.command.status == CommandStatus.NOT_CONNECTED:
        raise CommandRefused("the station is not connected")
    return update


def id_tag_info(tag: IdTag, now: datetime) -> dict[str, str]:
    """Return what a station is told of a tag; its limit cannot be told."""
    return authorization_of(known_tag(tag), now).id_tag_info()


def check_local_list(command: Command) -> None:
    """Hold a SendLocalList to the rules: versions above 0 (1.6 errata 3.52), all of a Full's tags with idTagInfo.

    :raises CommandRefused:
    """
    if command.action != "SendLocalList" or command.allows_invalid:
        return
    payload = command.payload
    if payload["listVersion"] < 1:
        raise CommandRefused("the version of a local list is above 0 (1.6 errata 3.52)")
    entries = payload.get("localAuthorizationList", [])
    if payload["updateType"] == FULL and any("idTagInfo" not in entry for entry in entries):
        raise CommandRefused("a Full update says of every tag whether it may charge (idTagInfo)")
    known = LocalList.objects.filter(station_id=command.station_id).first()
    if payload["updateType"] == DIFFERENTIAL and known is not None and payload["listVersion"] <= known.version:
        raise CommandRefused(f"the station has version {known.version}: a Differential needs a higher one")


@transaction.atomic
def apply_local_list_answer(*, command: Command, now: datetime) -> None:
    """Take over what a station answered about its list, and go on with the update that the command was a part of."""
    if command.action == "GetLocalListVersion" and command.succeeded:
        _note_version(command, now)
        return
    if command.action != "SendLocalList":
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
    elif command.result_status in ("Failed", "VersionMismatch") and update.update_type == DIFFERENTIAL:
        known = LocalList.objects.filter(station_id=update.station_id).first()
        _plan(update, FULL, known)
        update.note = f"Differential: {command.result_status}; a Full followed"
        _go_on(update, now, command.reason)
    else:
        _end(update, LocalListUpdateStatus.FAILED, now, command.result_status or command.get_status_display())


def _plan(update: LocalListUpdate, update_type: str, known: LocalList | None) -> None:
    """Cut the update into the payloads that bring it about."""
    base = max(known.version, known.reported_version or 0) if known is not None else 0
    if update_type == FULL or known is None:
        entries = [{"idTag": tag, "idTagInfo": info} for tag, info in update.wanted.values()]
    else:
        entries = _difference(known.entries, update.wanted)
    size = integer_value(station_id=update.station_id, key="SendLocalListMaxLength") or PART
    groups = [entries[start : start + size] for start in range(0, len(entries), size)] or [[]]
    update.update_type, update.parts = update_type, len(groups)
    update.remaining = [
        {
            "listVersion": base + number,
            "updateType": update_type if number == 1 else DIFFERENTIAL,
            "localAuthorizationList": group,
        }
        for number, group in enumerate(groups, 1)
    ]


def _difference(known: List, wanted: List) -> list[dict[str, Any]]:
    """Return the entries that turn one list into the other; one without idTagInfo removes its tag."""
    changed = [{"idTag": entry[0], "idTagInfo": entry[1]} for key, entry in wanted.items() if known.get(key) != entry]
    return changed + [{"idTag": entry[0]} for key, entry in known.items() if key not in wanted]


def _go_on(update: LocalListUpdate, now: datetime, reason: str) -> None:
    try:
        with transaction.atomic():
            _send_next(update, now, reason)
    except CommandRefused as error:  # staff rejected the station meanwhile
        update.refresh_from_db(fields=["command"])
        _end(update, LocalListUpdateStatus.FAILED, now, str(error))


def _send_next(update: LocalListUpdate, now: datetime, reason: str) -> None:
    payload, *update.remaining = update.remaining
    update.command = request_command(
        station_id=update.station_id,
        action="SendLocalList",
        payload=payload,
        requested_by=update.requested_by,
        via=update.via if update.command is None else CommandVia.SYSTEM,
        now=now,
        reason=reason or f"part {update.parts - len(update.remaining)} of {update.parts}",
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
    payload = command.payload
    row, _ = LocalList.objects.select_for_update(no_key=True).get_or_create(station_id=command.station_id)
    entries = {} if payload.get("updateType") == FULL else dict(row.entries)
    for entry in payload.get("localAuthorizationList", []):
        key = fold_id_tag(entry["idTag"])
        if "idTagInfo" in entry:
            entries[key] = [entry["idTag"], entry["idTagInfo"]]
        else:
            entries.pop(key, None)
    row.entries, row.version, row.updated_at = entries, payload["listVersion"], now
    row.reported_version = None
    row.save()


def _note_version(command: Command, now: datetime) -> None:
    version = command.response.get("listVersion") if isinstance(command.response, dict) else None
    if not isinstance(version, int) or not -(2**31) <= version < 2**31:
        return
    row, _ = LocalList.objects.select_for_update(no_key=True).get_or_create(station_id=command.station_id)
    row.reported_version, row.reported_at = version, now
    if version <= 0:
        row.version, row.entries = 0, {}
    row.save()
