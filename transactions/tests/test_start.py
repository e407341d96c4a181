"""StartTransaction: exactly one transaction per start, whatever is repeated."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from id_tags.models import IdTagGroup, UnknownIdTag
from stations.models import Station
from tests.support.factories import NOON, make_id_tag, make_station, start, stop, transaction_of
from transactions.models import Closing, Mark, Transaction
from transactions.services.start import ConnectionSuperseded, draw_transaction_ids

pytestmark = pytest.mark.django_db


def test_start_is_stored_with_effective_time_and_answered_accepted():
    make_id_tag("TAG")
    answer = start(make_station())
    row = transaction_of(answer)
    assert answer.authorization == {"status": "Accepted"}
    assert (row.started_at, row.meter_start, row.accepted, row.closing, row.marks) == (NOON, 1000, True, "open", [])
    assert row.energy_wh == 0


def test_start_repeated_gets_the_same_id():
    make_id_tag("TAG")
    station = make_station()
    first = start(station)
    again = start(station, received_at=NOON + timedelta(minutes=10))
    assert again == replace(first, is_resend=True)
    assert Transaction.objects.count() == 1


def test_start_repeated_after_its_stop_reopens_nothing():
    make_id_tag("TAG")
    station = make_station()
    first = start(station)
    stop(station, transaction_id=first.transaction_id)
    again = start(station, received_at=NOON + timedelta(hours=1))
    assert again.transaction_id == first.transaction_id
    assert transaction_of(again).closing == Closing.REPORTED


def test_start_with_tag_in_other_case_is_the_same_start():
    make_id_tag("TAG")
    station = make_station()
    assert start(station, id_tag="tag").transaction_id == start(station, id_tag="TAG").transaction_id


def test_start_without_time_is_a_resend_until_its_id_is_used():
    make_id_tag("TAG", max_active_transactions=0)
    station = make_station()
    first = start(station, at=None, received_at=NOON)
    again = start(station, at=None, received_at=NOON + timedelta(minutes=1))
    assert (again.transaction_id, again.is_cacheable) == (first.transaction_id, False)
    stop(station, transaction_id=first.transaction_id, received_at=NOON + timedelta(minutes=40))
    new = start(station, at=None, received_at=NOON + timedelta(hours=1))
    assert new.transaction_id != first.transaction_id


def test_start_with_absent_meter_start_is_a_resend_of_itself_only():
    make_id_tag("TAG", max_active_transactions=0)
    station = make_station()
    first = start(station, meter_start=None)
    assert start(station, meter_start=None).transaction_id == first.transaction_id
    assert start(station, meter_start=0).transaction_id != first.transaction_id
    assert transaction_of(first).energy_wh is None


def test_start_of_unknown_tag_is_a_transaction_marked_refused():
    station = make_station()
    answer = start(station)
    row = transaction_of(answer)
    assert answer.authorization == {"status": "Invalid"}
    assert (row.accepted, row.marks) == (False, [Mark.REFUSED_TAG])
    assert UnknownIdTag.objects.get().count == 1


def test_start_with_tag_charging_elsewhere_is_concurrent():
    make_id_tag("TAG")
    start(make_station())
    answer = start(make_station(), at=NOON + timedelta(minutes=1))
    assert answer.authorization == {"status": "ConcurrentTx"}


def test_start_refused_does_not_count_against_its_own_limit():
    make_id_tag("TAG")
    one, two, three = make_station(), make_station(), make_station()
    first = start(one)
    start(two, at=NOON + timedelta(minutes=1))
    stop(one, transaction_id=first.transaction_id, at=NOON + timedelta(minutes=2))
    answer = start(three, at=NOON + timedelta(minutes=3))
    assert answer.authorization == {"status": "Accepted"}


def test_start_with_unlimited_tag_is_accepted_everywhere():
    make_id_tag("TAG", max_active_transactions=0)
    start(make_station())
    assert start(make_station()).authorization == {"status": "Accepted"}


def test_start_within_group_limit_counts_the_whole_group():
    group = IdTagGroup.objects.create(parent_id_tag="FLEET", max_active_transactions=2)
    for name in ("A", "B", "C"):
        make_id_tag(name, group=group)
    statuses = [start(make_station(), id_tag=name).authorization for name in ("A", "B", "C")]
    assert [info["status"] for info in statuses] == ["Accepted", "Accepted", "ConcurrentTx"]
    assert statuses[0]["group_id_tag"] == "FLEET"


def test_start_with_silent_transaction_elsewhere_does_not_count_it():
    make_id_tag("TAG")
    start(make_station())
    answer = start(make_station(), at=NOON + timedelta(hours=25))
    assert answer.authorization == {"status": "Accepted"}


def test_start_on_busy_connector_supersedes_the_open_one():
    make_id_tag("TAG")
    station = make_station()
    first = start(station)
    second = start(station, at=NOON + timedelta(hours=1), meter_start=3000)
    old, new = transaction_of(first), transaction_of(second)
    assert (old.closing, old.estimate_cause, old.meter_stop) == (Closing.ESTIMATED, "superseded", None)
    assert old.marks == [Mark.MISSING_STOP, Mark.SUPERSEDED]
    assert (new.closing, second.authorization) == (Closing.OPEN, {"status": "Accepted"})


def test_start_older_than_the_open_one_never_closes_it():
    make_id_tag("TAG", max_active_transactions=0)
    station = make_station()
    newer = start(station)
    older = start(station, at=NOON - timedelta(hours=2), received_at=NOON + timedelta(minutes=1), meter_start=500)
    assert transaction_of(newer).closing == Closing.OPEN
    row = transaction_of(older)
    assert (row.closing, row.estimate_cause, row.marks) == (Closing.ESTIMATED, "superseded", [Mark.SUPERSEDED])


def test_start_offline_session_keeps_its_times():
    make_id_tag("TAG")
    station = make_station()
    received_at = NOON + timedelta(hours=2)
    answer = start(station, received_at=received_at)
    stop(station, transaction_id=answer.transaction_id, at=NOON + timedelta(hours=1), received_at=received_at)
    row = transaction_of(answer)
    assert (row.started_at, row.stopped_at, row.energy_wh) == (NOON, NOON + timedelta(hours=1), 5000)
    assert (row.start_received_at, row.stop_received_at) == (received_at, received_at)


@pytest.mark.parametrize(
    ("at", "mark"), [(NOON - timedelta(days=9000), Mark.CLOCK_UNSET), (NOON + timedelta(minutes=6), Mark.FUTURE_TIME)]
)
def test_start_with_incredible_time_is_marked_and_counts_from_receipt(at, mark):
    make_id_tag("TAG")
    row = transaction_of(start(make_station(), at=at, received_at=NOON))
    assert (row.started_at, row.start_reported_at, row.start_is_credible, row.marks) == (NOON, at, False, [mark])


def test_start_far_from_the_previous_stop_is_marked():
    make_id_tag("TAG")
    station = make_station()
    first = start(station)
    stop(station, transaction_id=first.transaction_id)
    row = transaction_of(start(station, at=NOON + timedelta(hours=1), meter_start=9000))
    assert row.marks == [Mark.METER_GAP]


def test_start_on_connector_0_of_a_station_with_one_connector_is_on_that():
    make_id_tag("TAG")
    station = make_station()
    station.connectors.create(connector_id=0)
    station.connectors.create(connector_id=1)
    row = transaction_of(start(station, connector_id=0))
    assert (row.connector.connector_id, row.reported_connector_id) == (1, 0)


def test_start_from_a_superseded_connection_is_dropped():
    make_id_tag("TAG")
    station = make_station()
    Station.objects.update(connection_epoch=2)
    with pytest.raises(ConnectionSuperseded):
        start(station)
    assert Transaction.objects.count() == 0


def test_start_is_known_by_its_stations_word():
    """In OCPP 1.6 the transaction id as text, whichever way it is stored."""
    station = make_station()
    for minute in range(3):
        row = transaction_of(start(station, at=NOON + timedelta(minutes=minute)))
        assert (row.ref, row.id_tag_kind, row.plug) == (str(row.transaction_id), "", None)


def test_transaction_without_its_stations_word_is_refused():
    row = transaction_of(start(make_station()))
    with pytest.raises(IntegrityError), transaction.atomic():
        Transaction.objects.filter(pk=row.pk).update(ref="")


def test_transaction_ids_are_drawn_once():
    first = draw_transaction_ids(count=3)
    assert first == list(range(first[0], first[0] + 3))
    assert draw_transaction_ids(count=1) == [first[-1] + 1]
