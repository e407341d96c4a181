"""Reservations (cases 50-52): kept, refused, used, cancelled, expired; and no two for one connector."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from id_tags.models import IdTag, IdTagGroup
from stations.models import Command, Station
from stations.services.commands import CommandRefused
from stations.types import Origin
from tests.support.charger import Charger
from tests.support.commanding import request_cancel_reservation, request_frame
from tests.support.factories import make_id_tag
from tests.support.payloads import start, status
from tests.support.waiting import until
from transactions.models import Reservation, Transaction
from transactions.services.reservation_ends import expire_reservations
from transactions.services.reservations import request_reservation

Plug = Callable[..., Charger]


def reserve(station: Station, tag: IdTag, connector_id: int = 1, hours: float = 1, **options: Any) -> Command:
    now = datetime.now(UTC)
    return request_reservation(
        station_id=station.pk,
        connector_id=connector_id,
        id_tag=tag.id_tag,
        expires_at=now + timedelta(hours=hours),
        **options,
        origin=Origin("anna", "shell", now),
    )


def answered(charger: Charger, command: Command, word: str = "Accepted") -> None:
    frame = charger.receive()
    assert frame == [2, str(command.pk), command.action, command.payload]
    charger.send(json.dumps([3, frame[1], {"status": word}]))
    until(lambda: Command.objects.get(pk=command.pk).has_ended, True)


def held(charger: Charger, station: Station, tag: IdTag, connector_id: int = 1) -> Reservation:
    command = reserve(station, tag, connector_id)
    answered(charger, command)
    return Reservation.objects.get(command=command)


def cancel(row: Reservation) -> Command:
    return request_cancel_reservation(reservation_pk=row.pk, origin=Origin("anna", "shell", datetime.now(UTC)))


def test_reservation_is_used_by_the_start_that_names_it(charger: Charger, station: Station, tag: IdTag) -> None:
    row = held(charger, station, tag)
    assert row.status == "active"
    charger.result("StatusNotification", status(1, "Reserved"))
    transaction_id = charger.result("StartTransaction", {**start(tag.id_tag), "reservationId": row.reservation_id})[
        "transactionId"
    ]
    row.refresh_from_db()
    assert row.status == "used"
    assert row.transaction == Transaction.objects.get(transaction_id=transaction_id)


@pytest.mark.parametrize("connector_id", [0, 1])
def test_reservation_is_used_by_a_start_of_its_tag(
    charger: Charger, station: Station, tag: IdTag, connector_id: int
) -> None:
    row = held(charger, station, tag, connector_id)
    charger.result("StartTransaction", start(make_id_tag().id_tag, connector_id=2))
    row.refresh_from_db()
    assert row.status == "active"
    charger.result("StartTransaction", start(tag.id_tag))
    row.refresh_from_db()
    assert row.status == "used"


def test_reservation_of_a_group_is_used_by_any_of_its_tags(charger: Charger, station: Station) -> None:
    """Case 52: parentIdTag."""
    group = IdTagGroup.objects.create(parent_id_tag=f"G{station.pk}")
    tag, sibling = make_id_tag(group=group), make_id_tag(group=group)
    row = held(charger, station, tag)
    assert Command.objects.get(pk=row.command_id).payload["parentIdTag"] == group.parent_id_tag
    charger.result("StartTransaction", start(sibling.id_tag))
    row.refresh_from_db()
    assert row.status == "used"


@pytest.mark.parametrize("word", ["Faulted", "Occupied", "Unavailable", "Rejected"])
def test_reservation_that_is_refused_is_not_active(charger: Charger, station: Station, tag: IdTag, word: str) -> None:
    """Case 51."""
    command = reserve(station, tag)
    answered(charger, command, word)
    row = Reservation.objects.get(command=command)
    assert (row.status, row.result_status) == ("refused", word)
    charger.result("StartTransaction", start(tag.id_tag))
    row.refresh_from_db()
    assert (row.status, row.transaction) == ("refused", None)


def test_reservation_without_an_answer_stays_requested(charger: Charger, station: Station, tag: IdTag) -> None:
    """The station may hold it all the same."""
    Station.objects.filter(pk=station.pk).update(call_timeout_s=0.3)
    command = reserve(station, tag)
    charger.receive()
    until(lambda: Command.objects.get(pk=command.pk).status, "timed_out")
    row = Reservation.objects.get(command=command)
    assert (row.status, row.result_status) == ("requested", "no answer")


def test_reservation_that_is_answered_with_an_error_is_not_active(
    charger: Charger, station: Station, tag: IdTag
) -> None:
    command = reserve(station, tag)
    charger.receive()
    charger.send(json.dumps([4, str(command.pk), "NotImplemented", "", {}]))
    until(lambda: Command.objects.get(pk=command.pk).status, "call_error")
    row = Reservation.objects.get(command=command)
    assert (row.status, row.result_status) == ("refused", "NotImplemented")


def test_reservation_with_a_late_answer_is_used_all_the_same(charger: Charger, station: Station, tag: IdTag) -> None:
    """A late answer changes nothing; the start that names the reservation does."""
    Station.objects.filter(pk=station.pk).update(call_timeout_s=0.3)
    command = reserve(station, tag)
    charger.receive()
    until(lambda: Command.objects.get(pk=command.pk).status, "timed_out")
    charger.send(json.dumps([3, str(command.pk), {"status": "Accepted"}]))
    until(lambda: Command.objects.get(pk=command.pk).late_answer, {"status": "Accepted"})
    row = Reservation.objects.get(command=command)
    assert row.status == "requested"
    charger.result("StartTransaction", {**start(tag.id_tag), "reservationId": row.reservation_id})
    row.refresh_from_db()
    assert row.status == "used"


def test_reservation_outlives_its_stations_connection(plug: Plug, station: Station, tag: IdTag) -> None:
    charger = plug(station)
    row = held(charger, station, tag)
    charger.close()
    back = plug(station)
    back.boot()
    row.refresh_from_db()
    assert row.status == "active"
    back.result("StartTransaction", start(tag.id_tag))
    row.refresh_from_db()
    assert row.status == "used"


def test_reservation_is_replaced_under_its_id(charger: Charger, station: Station, tag: IdTag) -> None:
    """OCPP 1.6 §5.13; refused, the old one stands."""
    first = held(charger, station, tag)
    payload = {**Command.objects.get(pk=first.command_id).payload, "connectorId": 2}
    for word, states in (("Occupied", ["active", "refused"]), ("Accepted", ["replaced", "refused", "active"])):
        command = request_frame(
            station_id=station.pk,
            action="ReserveNow",
            payload=payload,
            requested_by="anna",
            via="api",
            now=datetime.now(UTC),
        )
        answered(charger, command, word)
        rows = Reservation.objects.filter(station=station, reservation_id=first.reservation_id).order_by("pk")
        assert list(rows.values_list("status", flat=True)) == states


def test_reservation_is_cancelled_or_not(charger: Charger, station: Station, tag: IdTag) -> None:
    row = held(charger, station, tag)
    answered(charger, cancel(row), "Rejected")
    row.refresh_from_db()
    assert row.status == "active"
    answered(charger, cancel(row))
    row.refresh_from_db()
    assert row.status == "cancelled"
    with pytest.raises(CommandRefused):
        cancel(row)


def test_reservation_expires(charger: Charger, station: Station, tag: IdTag) -> None:
    row = held(charger, station, tag)
    expire_reservations(now=row.expires_at - timedelta(seconds=1))
    row.refresh_from_db()
    assert row.status == "active"
    expire_reservations(now=row.expires_at)
    row.refresh_from_db()
    assert row.status == "expired"
    charger.result("StartTransaction", start(tag.id_tag))
    row.refresh_from_db()
    assert row.transaction is None


def test_clashes_are_refused(charger: Charger, station: Station, tag: IdTag) -> None:
    for connector_id in (1, 2):
        charger.result("StatusNotification", status(connector_id, "Available"))
    held(charger, station, tag, 1)
    others = [make_id_tag() for _ in range(3)]
    with pytest.raises(CommandRefused, match="connector 1 is taken or reserved"):
        reserve(station, others[0], 1)
    with pytest.raises(CommandRefused, match="the tag has a reservation"):
        reserve(station, tag, 2)
    held(charger, station, others[0], 0)
    with pytest.raises(CommandRefused, match="every connector is taken or reserved"):
        reserve(station, others[1], 0)
    with pytest.raises(CommandRefused, match="every connector is taken or reserved"):
        reserve(station, others[1], 2)
    with pytest.raises(CommandRefused, match="expired already"):
        reserve(station, others[1], 3, hours=-1)


def test_connector_in_use_is_not_reserved(charger: Charger, station: Station, tag: IdTag) -> None:
    charger.result("StartTransaction", start(tag.id_tag))
    with pytest.raises(CommandRefused):
        reserve(station, make_id_tag(), 1)
