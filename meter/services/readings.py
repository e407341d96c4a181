"""Everything that writes meter values."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from meter.models import MeterValue
from meter.rollups.late import late_after, mark_late, quarter_of
from meter.selectors import series_ids_of
from meter.services.inserting import SampleRow, insert_owned_samples, insert_samples
from meter.services.series import SeriesKey, known_series, series_ids
from meter.types import Reading
from stations.services.connection import current_epochs, newest_epochs
from stations.types import Received
from transactions.services.readings import (
    RunningValue,
    TransactionRef,
    known_transactions,
    resolve_refs,
    update_running_values,
)

ENERGY, POWER, SOC = "Energy.Active.Import.Register", "Power.Active.Import", "SoC"


class MeterMessage(NamedTuple):
    """One MeterValues message (OCPP 1.6 §4.7), its readings in canonical units.

    `transaction_id` is None where the reported one is no usable id; `transaction_ref` is its text, "" for none.
    """

    received: Received
    connector_id: int
    transaction_id: int | None
    transaction_ref: str
    readings: Sequence[Reading]


def record_readings(*, messages: Sequence[MeterMessage]) -> list[bool]:
    """Store a batch of messages in one database transaction, with the running values of their transactions.

    Stored twice, a sample is there once.

    :returns: for each message whether its connection still owns the station; where not, it is not stored and must not
        be answered.
    """
    timed = [_timed(message) for message in messages]
    owned = _record_cached(messages, timed)
    return _record(messages, timed) if owned is None else owned


@transaction.atomic
def store_transaction_data(
    *,
    received: Received,
    connector_id: int,
    transaction_pk: int | None,
    transaction_ref: str,
    readings: Sequence[Reading],
) -> None:
    """Store the samples that a StopTransaction brought; they change no running value."""
    message = MeterMessage(received, connector_id, None, transaction_ref, readings)
    mark_late(_insert([(message, transaction_pk, _timed(message))]))


@transaction.atomic
def give_samples_to_transaction(
    *,
    station_id: int,
    connector_id: int,
    transaction_ref: str,
    since: datetime,
    until: datetime,
    transaction_pk: int,
) -> int:
    """Assign stored samples that belong to no transaction to the given one; return how many."""
    return MeterValue.objects.filter(
        series_id__in=series_ids_of([station_id], connector_id=connector_id),
        effective_at__range=(since, until),
        transaction=None,
        transaction_ref=transaction_ref,
    ).update(transaction_id=transaction_pk)


Timed = list[tuple[datetime, datetime | None, Reading]]


def _record_cached(messages: Sequence[MeterMessage], timed: Sequence[Timed]) -> list[bool] | None:
    """Fast path: all series and transactions cached, nothing late. None if the batch needs the general path.

    One statement, and a second one for the running values of transactions.
    """
    received = [message.received for message in messages]
    epochs = newest_epochs(messages=received)
    try:
        belonging = [
            (message, _cached_transaction(message), each)
            for message, each in zip(messages, timed, strict=True)
            if epochs[message.received.station_id] == message.received.epoch
        ]
        rows, late = _rows(belonging, known_series.__getitem__)
    except KeyError:
        return None
    if late or not rows:
        return None
    station_ids = [message.received.station_id for message, _, each in belonging for _ in each]
    values = [
        (message.received.station_id, running_value(pk, True, message, each))
        for message, pk, each in belonging
        if pk is not None
    ]
    with transaction.atomic() if values else nullcontext():  # one statement is a database transaction of its own
        owned = insert_owned_samples(rows=rows, station_ids=station_ids, epochs=epochs)
        update_running_values(values=[value for station_id, value in values if station_id in owned])
    return [each.station_id in owned and epochs[each.station_id] == each.epoch for each in received]


def _cached_transaction(message: MeterMessage) -> int | None:
    """Return the transaction that a message names, None if it names none.

    :raises KeyError: it is not cached, or no usable id.
    """
    if not message.transaction_ref:
        return None
    if message.transaction_id is None:
        raise KeyError(message.transaction_ref)
    return known_transactions[message.received.station_id, message.transaction_id]


@transaction.atomic
def _record(messages: Sequence[MeterMessage], timed: Sequence[Timed]) -> list[bool]:
    epochs = current_epochs(station_ids=[message.received.station_id for message in messages])
    owned = [epochs.get(message.received.station_id) == message.received.epoch for message in messages]
    kept = [both for both, is_owned in zip(zip(messages, timed, strict=True), owned, strict=True) if is_owned]
    if kept:
        _store(kept)
    return owned


def _store(kept: Sequence[tuple[MeterMessage, Timed]]) -> None:
    # Usable ids are looked up together; the rest, one by one, by connector and time.
    named = [index for index, (message, _) in enumerate(kept) if message.transaction_ref]
    refs = [_ref(*kept[index]) for index in named]
    resolved = dict(zip(named, resolve_refs(refs=refs), strict=True)) if refs else {}
    rows, values = [], []
    for index, (message, timed) in enumerate(kept):
        found = resolved.get(index)
        rows.append((message, None if found is None else found.pk, timed))
        if found is not None:
            values.append(running_value(found.pk, found.is_named, message, timed))
    late = _insert(rows)
    update_running_values(values=values)
    mark_late(late)


def running_value(pk: int, is_named: bool, message: MeterMessage, timed: Timed) -> RunningValue:
    """Return the newest register, power and state of charge that a message carries.

    Readings of the whole connector count; where power comes by phase only, the phases of one instant are added.
    """
    newest: dict[str, tuple[datetime, float]] = {}
    phases: dict[datetime, float] = {}
    for at, _, reading in timed:
        name = reading.measurand
        if reading.value is None or name not in (ENERGY, POWER, SOC):
            continue
        if reading.phase:
            if name == POWER and reading.phase in ("L1", "L2", "L3"):
                phases[at] = phases.get(at, 0.0) + reading.value
            continue
        if name not in newest or at >= newest[name][0]:
            newest[name] = (at, reading.value)
    if phases and POWER not in newest:
        newest[POWER] = max(phases.items())
    register_at, register_wh = newest.get(ENERGY, (None, None))
    power_at, power_w = newest.get(POWER, (None, None))
    soc_at, soc_percent = newest.get(SOC, (None, None))
    return RunningValue(
        pk, is_named, message.received.received_at, register_wh, register_at, power_w, power_at, soc_percent, soc_at
    )


def _timed(message: MeterMessage) -> Timed:
    """Return every reading with its effective time, and its reported one where that differs."""
    timed: Timed = []
    last_reported: datetime | None = None
    at, differs = message.received.received_at, None
    for index, reading in enumerate(message.readings):
        if index == 0 or reading.reported_at is not last_reported:
            last_reported = reading.reported_at
            at, is_credible = message.received.effective_time(last_reported)
            differs = None if is_credible else last_reported
        timed.append((at, differs, reading))
    return timed


def _ref(message: MeterMessage, timed: Timed) -> TransactionRef:
    received = message.received
    instants = [at for at, _, _ in timed] or [received.received_at]
    return TransactionRef(
        received.station_id,
        message.connector_id,
        message.transaction_id,
        message.transaction_ref,
        min(instants),
        max(instants),
        received.received_at,
    )


Belonging = tuple[MeterMessage, int | None, Timed]
"""A message, the transaction (pk) that its samples belong to, and their times."""


def _rows(
    messages: Iterable[Belonging], series_id: Callable[[SeriesKey], int]
) -> tuple[list[SampleRow], set[tuple[int, datetime]]]:
    """Return the rows of samples, and the quarters of an hour (series id, begin) that some come late for.

    :raises KeyError: by `series_id`.
    """
    allowed_age = late_after()
    new = tuple.__new__  # half the time of calling the class; a batch has most of these
    rows: list[SampleRow] = []
    late: set[tuple[int, datetime]] = set()
    for message, pk, timed in messages:
        received, connector_id, _, ref, _ = message
        station_id = received.station_id
        late_before = received.received_at - allowed_age
        for at, differs, reading in timed:
            series = series_id(new(SeriesKey, (station_id, connector_id, *reading[1:7])))
            rows.append(new(SampleRow, (at, reading.value, differs, series, pk, ref, reading.raw)))
            if at < late_before and reading.value is not None:
                late.add((series, quarter_of(at)))
    return rows, late


def _insert(messages: Sequence[Belonging]) -> set[tuple[int, datetime]]:
    """Store samples inside the current database transaction; return what to give to mark_late(), its last lock."""
    keys = [
        SeriesKey(message.received.station_id, message.connector_id, *reading[1:7])
        for message, _, timed in messages
        for _, _, reading in timed
    ]
    rows, late = _rows(messages, series_ids(keys=keys).__getitem__)
    insert_samples(rows)
    return late
