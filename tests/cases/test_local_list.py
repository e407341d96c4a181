"""Local lists (case 53): Full, Differential, parts, refusals, versions that rise and never are 0."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from id_tags.models import IdTag, IdTagGroup, LocalList, LocalListUpdate
from id_tags.services.local_lists import request_local_list
from stations.models import Command, ConfigurationKey, Station
from stations.services.commands import CommandRefused
from stations.types import Origin
from tests.support.charger import Charger
from tests.support.commanding import request_frame
from tests.support.factories import make_id_tag
from tests.support.waiting import until

Send = Callable[..., LocalListUpdate]


@pytest.fixture
def send(station: Station) -> Send:
    def request(tags: list[IdTag], **options: Any) -> LocalListUpdate:
        return request_local_list(
            station_id=station.pk, tags=tags, **options, origin=Origin("anna", "shell", datetime.now(UTC))
        )

    return request


def receive(charger: Charger) -> tuple[str, dict[str, Any]]:
    frame = charger.receive()
    assert (frame[0], frame[2]) == (2, "SendLocalList")
    return frame[1], frame[3]


def exchange(charger: Charger, status: str = "Accepted") -> dict[str, Any]:
    """Take one SendLocalList, answer it, and return what it said."""
    unique_id, payload = receive(charger)
    charger.send(json.dumps([3, unique_id, {"status": status}]))
    return payload


def ended(update: LocalListUpdate) -> tuple[str, str]:
    until(lambda: LocalListUpdate.objects.get(pk=update.pk).ended_at is not None, True)
    row = LocalListUpdate.objects.get(pk=update.pk)
    return row.status, row.update_type


def entry(tag: IdTag, **info: str) -> dict[str, Any]:
    return {"idTag": tag.id_tag, "idTagInfo": {"status": "Accepted"} | info}


def test_first_list_is_full_and_the_next_differential(charger: Charger, station: Station, send: Send) -> None:
    group = IdTagGroup.objects.create(parent_id_tag=f"P{station.pk}")
    kept, removed = make_id_tag(group=group), make_id_tag(status="Blocked")
    update = send([kept, removed])
    payload = exchange(charger)
    assert payload == {
        "listVersion": 1,
        "updateType": "Full",
        "localAuthorizationList": [
            entry(kept, parentIdTag=group.parent_id_tag), entry(removed, status="Blocked"),
        ],
    }  # fmt: skip
    assert ended(update) == ("accepted", "Full")
    added = make_id_tag(expires_at=datetime(2030, 1, 1, tzinfo=UTC))
    second = send([kept, added])
    assert exchange(charger) == {
        "listVersion": 2,
        "updateType": "Differential",
        "localAuthorizationList": [entry(added, expiryDate="2030-01-01T00:00:00Z"), {"idTag": removed.id_tag}],
    }
    assert ended(second) == ("accepted", "Differential")
    row = LocalList.objects.get(station=station)
    assert (row.version, set(row.entries)) == (2, {kept.id_tag_folded, added.id_tag_folded})
    with pytest.raises(CommandRefused):
        send([kept, added])


def test_long_list_goes_as_one_full_and_then_differentials(charger: Charger, station: Station, send: Send) -> None:
    ConfigurationKey.objects.create(
        station=station, key="SendLocalListMaxLength", value="2", read_at=datetime.now(UTC)
    )
    tags = [make_id_tag() for _ in range(5)]
    update = send(tags)
    parts = [exchange(charger) for _ in range(3)]
    assert [(part["updateType"], part["listVersion"]) for part in parts] == [
        ("Full", 1), ("Differential", 2), ("Differential", 3),
    ]  # fmt: skip
    assert [item["idTag"] for part in parts for item in part["localAuthorizationList"]] == [tag.id_tag for tag in tags]
    assert all("idTagInfo" in item for part in parts for item in part["localAuthorizationList"])
    assert ended(update)[0] == "accepted"
    assert LocalList.objects.get(station=station).version == 3


@pytest.mark.parametrize("word", ["Failed", "VersionMismatch"])
def test_full_follows_a_differential_that_failed(charger: Charger, send: Send, word: str) -> None:
    first, second = make_id_tag(), make_id_tag()
    send([first])
    exchange(charger)
    until(lambda: LocalListUpdate.objects.filter(status="sending").count(), 0)
    update = send([first, second])
    assert exchange(charger, word)["updateType"] == "Differential"
    payload = exchange(charger)
    assert (payload["updateType"], payload["localAuthorizationList"]) == ("Full", [entry(first), entry(second)])
    assert payload["listVersion"] > 1
    assert ended(update) == ("accepted", "Full")


@pytest.mark.parametrize("word", ["Failed", "VersionMismatch", "NotSupported"])
def test_full_that_fails_ends_the_update(charger: Charger, station: Station, send: Send, word: str) -> None:
    update = send([make_id_tag()])
    exchange(charger, word)
    assert ended(update) == ("failed", "Full")
    assert LocalListUpdate.objects.get(pk=update.pk).note == word
    assert LocalList.objects.filter(station=station).count() == 0


def test_part_without_an_answer_ends_the_update(charger: Charger, station: Station, send: Send) -> None:
    Station.objects.filter(pk=station.pk).update(call_timeout_s=0.5)
    update = send([make_id_tag()])
    receive(charger)
    assert ended(update) == ("failed", "Full")


@pytest.mark.parametrize(("version", "version_after"), [(-1, 0), (0, 0), (1, 1), (7, 1)])
def test_version_that_the_station_tells_decides_what_is_sent_next(
    charger: Charger, station: Station, send: Send, version: int, version_after: int
) -> None:
    first, second = make_id_tag(), make_id_tag()
    send([first])
    exchange(charger)
    until(lambda: LocalListUpdate.objects.filter(status="sending").count(), 0)
    asked = request_frame(
        station_id=station.pk,
        action="GetLocalListVersion",
        payload={},
        requested_by="anna",
        via="shell",
        now=datetime.now(UTC),
    )
    frame = charger.receive()
    charger.send(json.dumps([3, frame[1], {"listVersion": version}]))
    until(lambda: Command.objects.get(pk=asked.pk).succeeded, True)
    assert LocalList.objects.get(station=station).version == version_after
    send([first, second])
    payload = exchange(charger)
    assert payload["updateType"] == ("Differential" if version == 1 else "Full")
    assert payload["listVersion"] > max(version, 0)


def test_rules_of_a_list_written_by_hand(station: Station, charger: Charger) -> None:
    for payload in (
        {"listVersion": 0, "updateType": "Full"},
        {"listVersion": -1, "updateType": "Full"},
        {"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "A"}]},
    ):
        with pytest.raises(CommandRefused):
            request_frame(
                station_id=station.pk,
                action="SendLocalList",
                payload=payload,
                requested_by="anna",
                via="shell",
                now=datetime.now(UTC),
            )
    assert Command.objects.filter(station=station).count() == 0
