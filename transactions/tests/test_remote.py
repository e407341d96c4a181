"""Remote starts and stops: what may be asked for, and which transaction they lead to, whichever comes first."""

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from connectors.models import Connector
from stations.models import Command, ConfigurationKey, Station
from stations.services.commands import CommandRefused
from stations.services.expected_effects import give_up_effects
from stations.types import Origin
from tests.support.commanding import (
    answer,
    answered,
    draft_of,
    end,
    failed,
    make_online_station,
    request,
    request_remote_stop,
    send,
    unanswered,
)
from tests.support.factories import NOON, make_id_tag, make_station, start, stop, transaction_of
from transactions.models import ChargingProfile, Transaction
from transactions.services.closing import close_transaction
from transactions.services.remote import link_started, request_remote_start
from transactions.types import Started

pytestmark = pytest.mark.django_db
Committing = Callable[..., AbstractContextManager[Any]]
PROFILE = {
    "stackLevel": 0,
    "chargingProfilePurpose": "TxProfile",
    "chargingProfileKind": "Relative",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 21.4}]},
}


@pytest.fixture
def station() -> Station:
    make_id_tag("TAG")
    return make_online_station()


@pytest.fixture
def started(station: Station, django_capture_on_commit_callbacks: Committing) -> Callable[..., Transaction]:
    """Report a start now, and let happen what happens after its commit."""

    def begin(**fields: Any) -> Transaction:
        with django_capture_on_commit_callbacks(execute=True):
            row_answer = start(station, **{"at": timezone.now(), **fields})
        return transaction_of(row_answer)

    return begin


@pytest.fixture
def stopped(station: Station, django_capture_on_commit_callbacks: Committing) -> Callable[[Transaction], None]:
    """Report a stop now, and let happen what happens after its commit."""

    def finish(row: Transaction) -> None:
        with django_capture_on_commit_callbacks(execute=True):
            stop(station, transaction_id=row.transaction_id, at=timezone.now())

    return finish


def remote_start(station: Station, connector_id: int | None = 1, id_tag: str = "TAG", **options: Any) -> Command:
    return request_remote_start(
        station_id=station.pk,
        id_tag=id_tag,
        connector_id=connector_id,
        **options,
        origin=Origin("anna", "shell", timezone.now()),
    )


def remote_stop(row: Transaction) -> Command:
    return request_remote_stop(pk=row.pk, origin=Origin("anna", "shell", timezone.now()))


def effect_of(command: Command) -> tuple[str, str]:
    command.refresh_from_db()
    return command.expected_effect, command.effect_note


# Remote start


@pytest.mark.parametrize("connector_id", [1, None])
def test_start_is_joined_with_the_remote_start_that_led_to_it(station, started, connector_id):
    command = answered(remote_start(station, connector_id, id_tag="tag"))
    row = started()
    assert row.started_by_command == command
    assert effect_of(command) == ("done", f"transaction {row.transaction_id}")


def test_start_repeated_is_joined_once(station, started):
    first, second = answered(remote_start(station)), answered(remote_start(station))
    at = timezone.now()
    row = started(at=at)
    assert started(at=at) == row
    assert not link_started(started=[Started(row.pk, station.pk, at)])
    assert effect_of(first)[0] == "done"
    assert effect_of(second) == ("waiting", "")


def test_starts_are_joined_with_the_oldest_remote_start_first(station, started):
    make_id_tag("OTHER")
    commands = [answered(remote_start(station, None)) for _ in range(2)]
    commands.insert(0, answered(remote_start(station, None, id_tag="OTHER")))
    rows = [started(connector_id=1), started(connector_id=2)]
    assert [row.started_by_command for row in rows] == commands[1:]
    assert effect_of(commands[0]) == ("waiting", "")


def test_start_before_the_answer_is_joined_when_that_comes(station, started):
    command = remote_start(station)
    send(command)
    row = started()
    assert row.started_by_command is None
    answer(command)
    row.refresh_from_db()
    assert row.started_by_command == command
    assert effect_of(command) == ("done", f"transaction {row.transaction_id}")


def test_start_before_an_answer_of_a_slow_station_is_joined(station, started):
    """Some need minutes to answer, and begin at once."""
    command = remote_start(station)
    send(command)
    row = started()
    answer(command, at=timezone.now() + timedelta(minutes=3))
    row.refresh_from_db()
    assert row.started_by_command == command


def test_start_from_before_the_command_is_not_what_it_led_to(station, started):
    row = started(connector_id=2)
    make_id_tag("OTHER")
    command = answered(remote_start(station, None))
    row.refresh_from_db()
    assert row.started_by_command is None
    assert effect_of(command) == ("waiting", "")


def test_start_with_a_connector_that_only_we_name_is_joined(station, started):
    """A station with one connector may call it 0."""
    Connector.objects.create(station=station, connector_id=1)
    early = remote_start(station)
    send(early)
    row = started(connector_id=0)
    answer(early)
    row.refresh_from_db()
    assert row.started_by_command == early


def test_start_that_is_superseded_already_is_not_joined(station, started):
    """An old start out of the station's queue: what charges now began later."""
    make_id_tag("OTHER")
    command = answered(remote_start(station, id_tag="OTHER"))
    started()
    old = started(id_tag="OTHER", at=timezone.now() - timedelta(hours=3))
    assert (old.estimate_cause, old.started_by_command) == ("superseded", None)
    assert effect_of(command) == ("waiting", "")


@pytest.mark.parametrize("word", ["Rejected", "no answer", "error"])
def test_remote_start_that_was_not_accepted_leads_to_nothing(station, started, word):
    command = remote_start(station)
    ended = {"no answer": unanswered, "error": failed}.get(word)
    command = answered(command, word) if ended is None else ended(command)
    row = started()
    assert (row.started_by_command, command.expected_effect) == (None, "")


def test_remote_start_that_nothing_follows_is_given_up(station, started):
    command = answered(remote_start(station))
    give_up_effects(now=timezone.now() + timedelta(seconds=301))
    assert effect_of(command) == ("failed", "no transaction followed")
    assert started().started_by_command is None


def test_remote_start_without_a_tag_that_staff_insisted_on_disturbs_no_other(station, started):
    odd = answered(request(station, "RemoteStartTransaction", {"connectorId": 1}, allows_invalid=True))
    command = answered(remote_start(station))
    assert started().started_by_command == command
    assert effect_of(odd) == ("waiting", "")


@pytest.mark.parametrize("connector_id", [0, -1, 2**31])
def test_remote_start_needs_a_connector_above_0(station, connector_id):
    with pytest.raises(CommandRefused):
        remote_start(station, connector_id)


@pytest.mark.parametrize("status", ["Invalid", "Blocked", "Expired"])
def test_remote_start_of_a_tag_that_may_not_charge_is_refused(station, status):
    if status != "Invalid":
        make_id_tag("BAD", status=status)
    with pytest.raises(CommandRefused, match=f"the tag may not charge: {status}"):
        remote_start(station, id_tag="BAD")


def test_remote_start_is_refused_where_somebody_charges(station, started):
    started()
    with pytest.raises(CommandRefused, match="a transaction is open on connector 1"):
        remote_start(station)
    assert remote_start(station, 2).status == "queued"


def test_remote_start_is_refused_while_the_station_is_out_of_service(station):
    Connector.objects.create(station=station, connector_id=1, status="Unavailable")
    whole = Connector.objects.create(station=station, connector_id=0, status="Unavailable")
    with pytest.raises(CommandRefused, match="out of service"):
        remote_start(station)
    Connector.objects.filter(pk=whole.pk).update(status="Available")
    assert remote_start(station).status == "queued"


def test_remote_starts_profile_is_the_transactions(station, started, stopped):
    command = answered(remote_start(station, profile=draft_of(PROFILE)))
    row = started()
    profile = ChargingProfile.objects.get(transaction=row)
    assert (profile.status, profile.command, profile.connector_id) == ("active", command, 1)
    assert profile.charging_profile_id == command.payload["chargingProfile"]["chargingProfileId"]
    assert profile.schedule == {"unit": "A", "periods": [{"starts_s": 0, "limit": 21.4}]}
    stopped(row)
    profile.refresh_from_db()
    assert profile.status == "ended"


def test_remote_starts_profile_takes_no_id_that_the_station_has(station):
    """It would replace that profile (OCPP 1.6 §5.16)."""
    first = remote_start(station, profile=draft_of(PROFILE)).payload["chargingProfile"]["chargingProfileId"]
    other = PROFILE | {"chargingProfileId": first + 1, "chargingProfilePurpose": "TxDefaultProfile"}
    request(station, "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": other})
    second = remote_start(station, profile=draft_of(PROFILE)).payload["chargingProfile"]["chargingProfileId"]
    assert second > first + 1


def test_remote_starts_profile_is_held_to_what_the_station_can_do(station):
    ConfigurationKey.objects.create(
        station=station, key="ChargingScheduleAllowedChargingRateUnit", value="Power", read_at=NOON
    )
    with pytest.raises(CommandRefused, match="the station takes limits in W"):
        remote_start(station, profile=draft_of(PROFILE))


# Remote stop


def test_remote_stop_is_done_when_the_station_stops(station, started, stopped):
    row = started()
    command = answered(remote_stop(row))
    assert effect_of(command) == ("waiting", "")
    stopped(row)
    assert effect_of(command) == ("done", f"transaction {row.transaction_id} has ended")


def test_remote_stop_answered_after_the_stop_is_done_at_once(station, started, stopped):
    row = started()
    command = remote_stop(row)
    send(command)
    stopped(row)
    assert effect_of(answer(command)) == ("done", f"transaction {row.transaction_id} has ended")


def test_remote_stop_is_not_done_by_an_estimate_of_ours(station, started, django_capture_on_commit_callbacks):
    row = started()
    command = answered(remote_stop(row))
    with django_capture_on_commit_callbacks(execute=True):
        close_transaction(pk=row.pk, closed_by="anna", note="x", now=timezone.now())
    assert effect_of(command) == ("waiting", "")
    give_up_effects(now=timezone.now() + timedelta(seconds=301))
    assert effect_of(command) == ("failed", "the transaction was not stopped")


def test_remote_stop_that_was_not_accepted_waits_for_nothing(station, started):
    row = started()
    assert [answered(remote_stop(row), "Rejected").expected_effect, failed(remote_stop(row)).expected_effect] == [
        "",
        "",
    ]
    assert unanswered(remote_stop(row)).expected_effect == ""


def test_remote_stop_needs_a_transaction_of_that_station(station, started, stopped):
    row = started()
    other = make_online_station()
    for wanted in (row.transaction_id, 0, -1, 2**40):
        with pytest.raises(CommandRefused, match="has no transaction"):
            request(other, "RemoteStopTransaction", {"transactionId": wanted})
    stopped(row)
    with pytest.raises(CommandRefused, match="has ended already"):
        remote_stop(row)


def test_remote_stop_with_an_odd_id_that_staff_insisted_on_is_recorded(station):
    command = answered(request(station, "RemoteStopTransaction", {"transactionId": "x"}, allows_invalid=True))
    assert (command.succeeded, command.expected_effect) == (True, "waiting")


# Both at the same moment


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("action", ["start", "stop"])
def test_what_follows_during_the_recording_of_the_answer_is_seen(action):
    """The answer's transaction looks, finds nothing, and is not committed yet when the start (or stop) is."""
    make_id_tag("TAG")
    station = make_online_station()
    row = None if action == "start" else transaction_of(start(station, at=timezone.now()))
    command = remote_start(station) if row is None else remote_stop(row)
    send(command)
    problems: list[BaseException] = []

    def report() -> None:
        try:
            if row is None:
                start(station, at=timezone.now())
            else:
                stop(station, transaction_id=row.transaction_id, at=timezone.now())
        except BaseException as error:
            problems.append(error)
        finally:
            connection.close()

    reporting = threading.Thread(target=report)
    with transaction.atomic():
        end(command, "answered", result_status="Accepted", response={"status": "Accepted"})
        reporting.start()
        reporting.join(0.5)
        assert reporting.is_alive(), "it waits for the answer to be recorded"
    reporting.join(20)
    assert problems == []
    assert effect_of(command)[0] == "done"


def test_station_without_commands_is_not_asked_further(django_assert_num_queries):
    make_id_tag("TAG")
    station = make_station()
    row = transaction_of(start(station))
    with django_assert_num_queries(1):
        assert not link_started(started=[Started(row.pk, station.pk, NOON)])
