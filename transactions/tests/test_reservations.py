"""Reservations: what may be reserved, what the answers make of it, and which transaction uses it."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from connectors.models import Connector
from id_tags.models import IdTagGroup
from stations.models import Command, Station
from stations.services.commands import CommandRefused
from stations.types import Origin
from tests.support.commanding import (
    answer,
    answered,
    failed,
    make_online_station,
    request,
    request_cancel_reservation,
    send,
    unanswered,
)
from tests.support.factories import make_id_tag, make_station, start, transaction_of
from transactions.models import Reservation
from transactions.services.reservation_ends import expire_reservations
from transactions.services.reservations import request_reservation

pytestmark = pytest.mark.django_db


@pytest.fixture
def station() -> Station:
    make_id_tag("TAG")
    return make_online_station()


def reserve(station: Station, connector_id: int = 1, id_tag: str = "TAG", hours: float = 1) -> Command:
    now = timezone.now()
    return request_reservation(
        station_id=station.pk,
        connector_id=connector_id,
        id_tag=id_tag,
        expires_at=now + timedelta(hours=hours),
        origin=Origin("anna", "shell", now),
    )


def of(command: Command) -> Reservation:
    return Reservation.objects.get(command=command)


def active(station: Station, connector_id: int = 1, id_tag: str = "TAG") -> Reservation:
    return of(answered(reserve(station, connector_id, id_tag)))


def cancel(row: Reservation) -> Command:
    return request_cancel_reservation(reservation_pk=row.pk, origin=Origin("anna", "shell", timezone.now()))


def state(row: Reservation) -> tuple[str, str]:
    row.refresh_from_db()
    return row.status, row.result_status


def payload(reservation_id: int = 7, **fields: Any) -> dict[str, Any]:
    defaults = {
        "connectorId": 1, "expiryDate": "2030-01-01T00:00:00Z", "idTag": "TAG", "reservationId": reservation_id,
    }  # fmt: skip
    return defaults | fields


def test_reservation_is_kept_as_it_was_asked_for(station):
    command = reserve(station)
    row = of(command)
    assert (row.status, row.connector_id, row.id_tag, row.created_by) == ("requested", 1, "TAG", "anna")
    assert command.payload["reservationId"] == row.reservation_id
    assert command.payload["expiryDate"] == f"{row.expires_at:%Y-%m-%dT%H:%M:%SZ}"
    assert state(of(answered(command))) == ("active", "Accepted")


@pytest.mark.parametrize("word", ["Faulted", "Occupied", "Rejected", "Unavailable"])
def test_reservation_that_is_refused_shows_the_word(station, word):
    assert state(of(answered(reserve(station), word))) == ("refused", word)


def test_reservation_that_the_station_does_not_understand_is_refused(station):
    assert state(of(failed(reserve(station), "NotImplemented"))) == ("refused", "NotImplemented")


def test_reservation_without_an_answer_may_be_held_all_the_same(station):
    make_id_tag("OTHER")
    row = of(unanswered(reserve(station)))
    assert state(row) == ("requested", "no answer")
    with pytest.raises(CommandRefused, match="connector 1 is taken or reserved"):
        reserve(station, id_tag="OTHER")
    answered(cancel(row))
    assert state(row)[0] == "cancelled"


def test_reservation_to_a_station_that_is_away_is_none(station):
    assert reserve(make_station()).status == "not_connected"
    assert Reservation.objects.count() == 0


# The same id again


def test_reservation_of_the_same_id_replaces_the_old_one_once_accepted(station):
    first = of(answered(request(station, "ReserveNow", payload())))
    refused = of(answered(request(station, "ReserveNow", payload(connectorId=2)), "Occupied"))
    assert (state(first)[0], state(refused)[0]) == ("active", "refused")
    second = of(answered(request(station, "ReserveNow", payload(connectorId=2))))
    assert (state(first)[0], state(second)[0]) == ("replaced", "active")
    assert Reservation.objects.count() == 3


def test_reservation_that_was_used_is_not_rewritten_by_its_id(station):
    first = active(station)
    row = transaction_of(start(station, at=timezone.now()))
    second = of(answered(request(station, "ReserveNow", payload(first.reservation_id, connectorId=2))))
    assert (state(first)[0], state(second)[0]) == ("used", "active")
    assert (first.transaction, second.transaction) == (row, None)


def test_new_reservation_takes_no_id_that_was_sent_by_hand(station):
    following = of(reserve(station)).reservation_id + 1
    make_id_tag("OTHER")
    request(station, "ReserveNow", payload(following, connectorId=2, idTag="OTHER"))
    assert of(reserve(station, 3, make_id_tag().id_tag)).reservation_id > following


# Rules


@pytest.mark.parametrize(
    "fields",
    [
        {"expiryDate": "2016-12-31T23:59:60Z"},
        {"expiryDate": "9999-12-31T23:59:59-01:00"},
        {"expiryDate": "0000-01-01T00:00:00Z"},
        {"expiryDate": "2020-01-01T00:00:00Z"},
        {"connectorId": -1},
        {"connectorId": 2**31},
        {"reservationId": 0},
        {"reservationId": -1},
        {"reservationId": 2**31},
    ],
)
def test_reservation_that_cannot_be_kept_is_refused(station, fields):
    with pytest.raises(CommandRefused):
        request(station, "ReserveNow", payload(**fields))
    assert (Command.objects.count(), Reservation.objects.count()) == (0, 0)


def test_expiry_is_read_as_rfc_3339_allows_it(station):
    row = of(request(station, "ReserveNow", payload(expiryDate="2030-01-01t02:00:00.123456789+02:00")))
    assert row.expires_at.isoformat() == "2030-01-01T00:00:00.123456+00:00"


def test_reservation_on_a_connector_in_use_is_refused(station):
    make_id_tag("OTHER")
    start(station, at=timezone.now())
    with pytest.raises(CommandRefused, match="connector 1 is taken or reserved"):
        reserve(station, id_tag="OTHER")


def test_reservations_of_any_connector_need_a_free_one_each(station):
    tags = [make_id_tag().id_tag for _ in range(3)]
    for number in (0, 1, 2):
        Connector.objects.create(station=station, connector_id=number)
    reserve(station, 0, tags[0])
    reserve(station, 1, tags[1])
    for connector_id in (0, 2):
        with pytest.raises(CommandRefused, match="every connector is taken or reserved"):
            reserve(station, connector_id, tags[2])


@pytest.mark.django_db(transaction=True)
def test_two_who_reserve_at_once_see_one_another():
    station = make_online_station()
    tags = [make_id_tag().id_tag for _ in range(2)]
    refusals: list[str] = []

    def reserve_too() -> None:
        try:
            reserve(station, 1, tags[1])
        except CommandRefused as error:
            refusals.append(str(error))
        finally:
            connection.close()

    second = threading.Thread(target=reserve_too)
    with transaction.atomic():
        reserve(station, 1, tags[0])
        second.start()
        second.join(0.5)
        assert second.is_alive(), "it waits for the first"
    second.join(20)
    assert refusals == ["connector 1 is taken or reserved"]
    assert Reservation.objects.get().id_tag == tags[0]


# Cancelling


def test_cancelling_ends_it_if_the_station_agrees(station):
    row = active(station)
    answered(cancel(row), "Rejected")
    assert state(row)[0] == "active"
    failed(cancel(row))
    unanswered(cancel(row))
    assert state(row)[0] == "active"
    accepted = answered(cancel(row))
    assert (state(row)[0], row.cancel_command) == ("cancelled", accepted)
    with pytest.raises(CommandRefused, match="has no reservation"):
        cancel(row)


def test_cancelling_twice_ends_it_by_the_answer_that_agreed(station):
    """The second cancellation finds nothing at the station any more."""
    row = active(station)
    first, second = cancel(row), cancel(row)
    answered(first)
    answered(second, "Rejected")
    assert (state(row)[0], row.cancel_command) == ("cancelled", first)


def test_cancelling_needs_a_reservation_of_that_station(station):
    row = active(station)
    for wanted in (row.reservation_id, 0, -1, 2**40):
        with pytest.raises(CommandRefused, match="has no reservation"):
            request(make_online_station(), "CancelReservation", {"reservationId": wanted})


# Use


@pytest.mark.parametrize("reserved", [0, 1])
def test_reservation_is_used_by_a_start_of_its_tag_once(station, reserved):
    row = active(station, reserved, "tag")
    at = timezone.now()
    first = transaction_of(start(station, at=at))
    start(station, at=at)
    assert state(row)[0] == "used"
    assert row.transaction == first


def test_reservation_is_used_by_the_start_that_names_it(station):
    row = active(station, 2)
    charging = transaction_of(start(station, at=timezone.now(), reservation_id=row.reservation_id))
    assert state(row)[0] == "used"
    assert row.transaction == charging


@pytest.mark.parametrize("named", [0, -1, 999])
def test_reservation_is_used_by_its_tag_where_the_named_id_means_nothing(station, named):
    row = active(station)
    start(station, at=timezone.now(), reservation_id=named)
    assert state(row)[0] == "used"


def test_reservation_is_used_by_a_named_start_that_came_late(station):
    """The station was offline; here it has expired meanwhile."""
    row = active(station)
    expire_reservations(now=row.expires_at)
    start(
        station, at=row.created_at, received_at=row.expires_at + timedelta(hours=1), reservation_id=row.reservation_id
    )
    assert state(row)[0] == "used"


def test_reservation_is_used_before_its_answer(station):
    command = reserve(station)
    send(command)
    start(station, at=timezone.now(), reservation_id=of(command).reservation_id)
    answer(command)
    assert state(of(command))[0] == "used"


def test_reservation_of_a_group_is_used_by_a_sibling_and_by_nobody_else(station):
    group = IdTagGroup.objects.create(parent_id_tag="GROUP")
    child, sibling = make_id_tag(group=group), make_id_tag(group=group)
    command = reserve(station, id_tag=child.id_tag)
    assert command.payload["parentIdTag"] == "GROUP"
    row = of(answered(command))
    start(station, at=timezone.now() - timedelta(minutes=1), id_tag="TAG")
    assert state(row)[0] == "active"
    start(station, at=timezone.now(), id_tag=sibling.id_tag)
    assert state(row)[0] == "used"


@pytest.mark.parametrize(("connector_id", "id_tag"), [(2, "TAG"), (1, "OTHER")])
def test_reservation_is_not_used_elsewhere_or_by_others(station, connector_id, id_tag):
    make_id_tag("OTHER")
    row = active(station)
    start(station, at=timezone.now(), connector_id=connector_id, id_tag=id_tag)
    assert state(row)[0] == "active"


# Expiry


def test_reservation_expires_at_its_time_and_once(station):
    row = active(station)
    assert expire_reservations(now=row.expires_at - timedelta(seconds=1)) == 0
    assert expire_reservations(now=row.expires_at) == 1
    assert expire_reservations(now=row.expires_at) == 0
    assert (state(row)[0], row.ended_at) == ("expired", row.expires_at)
    start(station, at=row.expires_at + timedelta(minutes=1))
    assert state(row)[0] == "expired"
