"""StopTransaction: the first one counts, equal ones are the same, different ones are recorded."""

from datetime import timedelta
from decimal import Decimal

import pytest

from evcharging.db.watt_hours import watt_hours
from id_tags.models import IdTagGroup
from stations.models import Station
from tests.support.factories import NOON, make_id_tag, make_station, reading, start, stop, transaction_of
from transactions.models import Closing, Mark, OrphanMessage, OrphanState, StopConflict, Transaction
from transactions.services.closing import TransactionNotOpen, close_stale, close_transaction
from transactions.services.orphans import OrphanAlreadyResolved, OrphanDoesNotFit, adopt_orphan, dismiss_orphan
from transactions.services.start import ConnectionSuperseded

pytestmark = pytest.mark.django_db


@pytest.fixture
def station():
    make_id_tag("TAG", max_active_transactions=0)
    return make_station()


def test_stop_closes_with_meters_and_reason(station):
    answer = start(station)
    stopped = stop(station, transaction_id=answer.transaction_id)
    row = transaction_of(answer)
    assert stopped.authorization is None
    assert (row.closing, row.stopped_at, row.meter_stop, row.energy_wh, row.stop_reason) == (
        Closing.REPORTED, NOON + timedelta(minutes=30), 6000, 5000, "Local",
    )  # fmt: skip
    assert row.id_seen_at == NOON + timedelta(minutes=30)


def test_stop_repeated_changes_nothing(station):
    answer = start(station)
    stop(station, transaction_id=answer.transaction_id, content_hash=b"a" * 16)
    before = Transaction.objects.values().get()
    stop(station, transaction_id=answer.transaction_id, content_hash=b"a" * 16)
    assert Transaction.objects.values().get() == before
    assert StopConflict.objects.count() == 0


def test_stop_that_differs_is_recorded_and_changes_nothing(station):
    answer = start(station)
    stop(station, transaction_id=answer.transaction_id)
    for _ in range(2):
        stop(station, transaction_id=answer.transaction_id, meter_stop=9999, content_hash=b"b" * 16)
    assert transaction_of(answer).meter_stop == 6000
    assert StopConflict.objects.get().meter_stop == 9999


def test_stop_with_id_tag_is_answered_about_it(station):
    group = IdTagGroup.objects.create(parent_id_tag="FLEET")
    make_id_tag("SIBLING", group=group)
    answer = start(station)
    stopped = stop(station, transaction_id=answer.transaction_id, id_tag="SIBLING")
    assert stopped.authorization == {"status": "Accepted", "group_id_tag": "FLEET"}


def test_stop_below_the_start_is_marked_and_never_negative(station):
    answer = start(station)
    stop(station, transaction_id=answer.transaction_id, meter_stop=10)
    row = transaction_of(answer)
    assert (row.energy_wh, row.meter_stop, row.marks) == (0, 10, [Mark.METER_REGRESSION])


@pytest.mark.parametrize(("transaction_id", "ref"), [(None, "0"), (None, "-1"), (999_999, "999999"), (None, "abc")])
def test_stop_with_unknown_id_and_nothing_that_fits_is_kept_for_review(station, transaction_id, ref):
    for _ in range(2):
        answer = stop(
            station, transaction_id=transaction_id, transaction_ref=ref, id_tag="TAG", content_hash=b"c" * 16
        )
    orphan = OrphanMessage.objects.get()
    assert answer.authorization == {"status": "Accepted"}
    assert (orphan.state, orphan.transaction_ref, orphan.meter_stop, orphan.count) == ("waiting", ref, 6000, 2)


def test_stop_with_unknown_id_is_adopted_by_the_only_transaction_that_fits(station):
    answer = start(station)
    stop(station, transaction_id=None, transaction_ref="-1", id_tag="tag")
    row = transaction_of(answer)
    assert (row.closing, row.energy_wh, row.marks) == (Closing.REPORTED, 5000, [Mark.ORPHAN_STOP])
    assert OrphanMessage.objects.get().state == OrphanState.ADOPTED


def test_stop_with_unknown_id_and_two_that_fit_is_not_guessed(station):
    start(station)
    start(station, connector_id=2)
    stop(station, transaction_id=None, transaction_ref="0", id_tag="TAG")
    assert OrphanMessage.objects.get().state == OrphanState.WAITING
    assert Transaction.objects.open().count() == 2


@pytest.mark.parametrize("fields", [{"id_tag": "OTHER"}, {"meter_stop": 500}, {"at": NOON - timedelta(hours=1)}])
def test_stop_with_unknown_id_that_tag_register_or_time_forbids_is_kept(station, fields):
    start(station)
    stop(station, **({"transaction_id": None, "transaction_ref": "0", "id_tag": "TAG"} | fields))
    assert OrphanMessage.objects.get().state == OrphanState.WAITING


def test_stop_of_another_stations_transaction_leaves_it_alone(station):
    answer = start(station)
    stop(make_station(), transaction_id=answer.transaction_id)
    assert transaction_of(answer).is_open
    assert OrphanMessage.objects.get().station != station


def test_stop_replaces_an_estimate_and_keeps_it(station):
    first = start(station)
    start(station, at=NOON + timedelta(hours=1), meter_start=6000)
    stop(station, transaction_id=first.transaction_id, at=NOON + timedelta(minutes=50))
    row = transaction_of(first)
    assert (row.closing, row.stopped_at, row.energy_wh) == (Closing.REPORTED, NOON + timedelta(minutes=50), 5000)
    assert (row.estimate_cause, row.estimated_stopped_at, row.estimated_energy_wh) == ("superseded", NOON, 0)
    assert row.marks == [Mark.SUPERSEDED]


def test_stop_from_a_superseded_connection_is_dropped(station):
    answer = start(station)
    Station.objects.update(connection_epoch=2)
    with pytest.raises(ConnectionSuperseded):
        stop(station, transaction_id=answer.transaction_id)
    assert transaction_of(answer).is_open


def test_close_by_staff_is_an_estimate_with_its_reason(station):
    row = transaction_of(start(station))
    close_transaction(pk=row.pk, closed_by="ann", note="cable cut", now=NOON + timedelta(hours=3))
    row.refresh_from_db()
    assert (row.closing, row.estimate_cause, row.closed_by, row.close_note, row.meter_stop) == (
        Closing.ESTIMATED, "staff", "ann", "cable cut", None,
    )  # fmt: skip
    with pytest.raises(TransactionNotOpen):
        close_transaction(pk=row.pk, closed_by="ann", note="again", now=NOON)


def test_close_stale_ends_only_the_silent_ones(station):
    silent = start(station)
    start(station, connector_id=2, at=NOON + timedelta(hours=20))
    assert close_stale(now=NOON + timedelta(hours=25)) == 1
    row = transaction_of(silent)
    assert (row.closing, row.estimate_cause, row.marks) == (Closing.ESTIMATED, "stale", [Mark.MISSING_STOP])


def test_adopt_orphan_ends_the_chosen_transaction(station):
    one, two = start(station), start(station, connector_id=2)
    stop(station, transaction_id=None, transaction_ref="0", id_tag="TAG")
    orphan = OrphanMessage.objects.get()
    adopt_orphan(
        orphan_id=orphan.pk, transaction_id=two.transaction_id, resolved_by="ann", note="connector 2", now=NOON
    )
    assert (transaction_of(one).closing, transaction_of(two).closing) == (Closing.OPEN, Closing.REPORTED)
    orphan.refresh_from_db()
    assert (orphan.state, orphan.resolved_by, orphan.resolution_note) == ("adopted", "ann", "connector 2")
    with pytest.raises(OrphanAlreadyResolved):
        dismiss_orphan(orphan_id=orphan.pk, resolved_by="ann", note="", now=NOON)


def test_adopt_orphan_refuses_stopped_and_foreign_transactions(station):
    stopped = start(station)
    stop(station, transaction_id=stopped.transaction_id)
    foreign = start(make_station())
    stop(station, transaction_id=None, transaction_ref="0")
    orphan = OrphanMessage.objects.get()
    for answer in (stopped, foreign):
        with pytest.raises(OrphanDoesNotFit):
            adopt_orphan(
                orphan_id=orphan.pk, transaction_id=answer.transaction_id, resolved_by="ann", note="", now=NOON
            )


@pytest.mark.parametrize(
    ("meter_start", "meter_stop", "energy_wh"),
    [
        (1000.25, 6000.5, "5000.25"),
        (0.001, 0.003, "0.002"),
        (-(2**63), 2**63 - 1, str(2**64 - 1)),
        (2**53 + 1, 2**53 + 2, "1"),
        (6000.5, 6000.25, "0"),
    ],
)
@pytest.mark.parametrize("takes_fast_path", [True, False])
def test_registers_and_energy_are_exact(station, meter_start, meter_stop, energy_wh, takes_fast_path):
    """On either path: samples in a stop need stop_transaction()."""
    answer = start(station, meter_start=meter_start)
    stop(
        station,
        transaction_id=answer.transaction_id,
        meter_stop=meter_stop,
        transaction_data=() if takes_fast_path else (reading(),),
    )
    row = transaction_of(answer)
    assert [row.meter_start, row.meter_stop, row.energy_wh] == [
        watt_hours(meter_start), watt_hours(meter_stop), Decimal(energy_wh),
    ]  # fmt: skip
    assert row.connector.last_meter_stop_wh == watt_hours(meter_stop)


@pytest.mark.parametrize("word", ["ReqEnergyTransferRejected", "x" * 50])
def test_stop_reason_may_be_any_word(station, word):
    answer = start(station)
    stop(station, transaction_id=answer.transaction_id, reason=word)
    assert transaction_of(answer).stop_reason == word
    stop(station, transaction_ref="nothing", reason=word, id_tag="NOBODY")
    assert OrphanMessage.objects.get().stop_reason == word
