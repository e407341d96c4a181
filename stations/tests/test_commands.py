"""Commands as rows: operations in words of the domain, frames in those of the station's version, secrets sealed."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from stations import dialects
from stations.models import Command, CommandBatch, Station
from stations.operations import ChangeConfiguration, ClearTagCache, RawFrame, Reset
from stations.secrets import MASK, unseal
from stations.services.batches import advance_batches, create_batch
from stations.services.calls import CallOutcome, Claim, claim_commands, record_outcomes
from stations.services.commands import CommandRefused, InvalidPayload, read_frame, request_command
from stations.types import Origin
from tests.support.commanding import make_online_station, request, send
from tests.support.other_dialect import OTHER_OPERATIONS, VERSION

pytestmark = pytest.mark.django_db
SECRET = "00112233445566778899aabbccddeeff"


@pytest.fixture
def other(monkeypatch: pytest.MonkeyPatch) -> Station:
    """A station whose latest connection spoke another version than 1.6."""
    monkeypatch.setitem(dialects._dialects, VERSION, OTHER_OPERATIONS)
    return make_online_station(version=VERSION)


def ask(station: Station, operation: Any, **options: Any) -> Command:
    origin = Origin("anna", "api", timezone.now())
    return request_command(station_id=station.pk, operation=operation, origin=origin, **options)


def test_row_keeps_the_operation_and_the_frame_of_the_stations_version(other):
    row = ask(make_online_station(), Reset(is_immediate=False))
    assert (row.operation, row.arguments, row.raw_version) == ("reset", {"is_immediate": False}, "")
    assert (row.version, row.action, row.payload) == ("ocpp1.6", "Reset", {"type": "Soft"})
    assert row.said == Reset(is_immediate=False)
    row = ask(other, Reset(is_immediate=False))
    assert (row.operation, row.arguments) == ("reset", {"is_immediate": False})
    assert (row.version, row.action, row.payload) == (VERSION, "Restart", {"now": False})


def test_words_of_1_6_reach_a_station_of_another_version(other):
    row = request(other, "Reset", {"type": "Hard"})
    assert (row.version, row.action, row.payload) == (VERSION, "Restart", {"now": True})


def test_what_the_stations_version_has_no_words_for_is_refused(other):
    with pytest.raises(CommandRefused, match=r"OCPP 9\.9 has no words for it"):
        ask(other, ClearTagCache())
    with pytest.raises(CommandRefused):
        ask(other, RawFrame("ocpp1.6", "AcmeSelfTest", {}), allows_invalid=True)
    assert Command.objects.count() == 0


def test_raw_frame_is_marked_with_its_version_and_says_nothing_to_anybody():
    row = request(make_online_station(), "Reset", {"type": "Warm"}, allows_invalid=True)
    assert (row.operation, row.arguments, row.raw_version, row.said) == ("reset", {}, "ocpp1.6", None)
    assert (row.action, row.payload, row.allows_invalid) == ("Reset", {"type": "Warm"}, True)
    send(row)


def test_arguments_of_a_later_release_say_nothing_and_are_not_sent():
    row = ask(make_online_station(), Reset(is_immediate=False))
    Command.objects.filter(pk=row.pk).update(arguments={"is_immediate": False, "resumes": True})
    row.refresh_from_db()
    assert row.said is None
    (claimed,) = claim_commands(claims=[Claim(row.station_id, row.station.connection_epoch, timezone.now())])
    assert "resumes" in claimed.problem


def test_what_was_sent_in_another_version_takes_the_place_of_what_was_shown(other):
    station = make_online_station()
    row = ask(station, Reset(is_immediate=True))
    send(row)
    outcome = CallOutcome(
        row.pk, station.connection_epoch, "answered", timezone.now(), "Later", {"status": "Later"}, version=VERSION,
        sent=dialects.Frame("Restart", {"now": True}),
    )  # fmt: skip
    assert record_outcomes(outcomes=[outcome]) == [True]
    row.refresh_from_db()
    assert (row.version, row.action, row.payload) == (VERSION, "Restart", {"now": True})
    assert (row.verdict, row.succeeded, row.result) == ("scheduled", True, {"told": {"status": "Later"}})
    assert row.expected_effect == "waiting"


@pytest.mark.parametrize("insisted", [False, True])
def test_secret_stands_nowhere_in_the_clear(insisted):
    payload = {"key": "AuthorizationKey", "value": SECRET} | ({"more": 1} if insisted else {})
    row = request(make_online_station(), "ChangeConfiguration", payload, allows_invalid=insisted)
    stored = Command.objects.filter(pk=row.pk).values().get()
    assert SECRET not in str({name: value for name, value in stored.items() if name != "sealed"})
    assert (row.payload["value"], unseal(stored["sealed"])) == (MASK, SECRET)
    (claimed,) = claim_commands(claims=[Claim(row.station_id, row.station.connection_epoch, timezone.now())])
    assert claimed.secret == SECRET


def test_secret_of_a_batch_is_sealed_and_reaches_every_station():
    stations = [make_online_station(), make_online_station()]
    operation = read_frame(action="ChangeConfiguration", payload={"key": "AuthorizationKey", "value": SECRET})
    assert isinstance(operation, ChangeConfiguration)
    now = timezone.now()
    ids = [station.pk for station in stations]
    batch = create_batch(station_ids=ids, operation=operation, origin=Origin("anna", "api", now))
    stored = CommandBatch.objects.filter(pk=batch.pk).values().get()
    assert SECRET not in str({name: value for name, value in stored.items() if name != "sealed"})
    advance_batches(now=now + timedelta(seconds=2))
    rows = Command.objects.filter(batch=batch)
    assert [(row.payload["value"], unseal(row.sealed)) for row in rows] == [(MASK, SECRET)] * 2


@pytest.mark.parametrize("value", ["short", "x" * 41, 5])
def test_secret_that_no_station_may_have_is_refused(value):
    payload = {"key": "AuthorizationKey", "value": value}
    with pytest.raises(InvalidPayload):
        request(make_online_station(), "ChangeConfiguration", payload, allows_invalid=True)
    assert Command.objects.count() == 0
