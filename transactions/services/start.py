"""StartTransaction: an equal start is a resend of the same transaction, and a refused tag's start is stored too."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from connectors.models import Connector
from connectors.selectors import only_connector_id
from connectors.services.states import lock_connector
from evcharging.db.prepared import run_prepared
from evcharging.events import publish
from id_tags.models import fold_id_tag
from id_tags.services.presented_tags import lock_presented
from id_tags.types import Authorization
from stations.services.connection import owns_station
from stations.timing import LATEST_AHEAD, EffectiveTime
from stations.types import Received
from transactions.models import Closing, EstimateCause, Mark, Transaction
from transactions.selectors import stale_since
from transactions.services.closing import estimate_end, publish_stopped
from transactions.services.readings import known_transactions
from transactions.services.reservation_ends import use_reservation
from transactions.signals import transactions_started
from transactions.types import StartAnswer, Started, StartReport

MAX_METER_GAP_WH = 1000
"""How far a start's register may be from the previous stop's on its connector before staff should look, Wh."""


class ConnectionSuperseded(Exception):
    """A newer connection owns the station; drop the frame without an answer."""


@transaction.atomic
def start_transaction(*, received: Received, report: StartReport) -> StartAnswer:
    """Store a start and decide on its tag (OCPP 1.6 §4.8); a resend gets the stored id and the stored idTagInfo.

    Order, all in one database transaction: this connection still owns the station → lock the connector → look for the
    key → supersede → lock the tag → authorise and count → store.

    :raises ConnectionSuperseded: a newer connection owns the station.
    """
    station_id, received_at = received.station_id, received.received_at
    if not owns_station(station_id=station_id, epoch=received.epoch):
        raise ConnectionSuperseded
    connector_id = report.connector_id or only_connector_id(station_id=station_id) or 0
    connector = lock_connector(station_id=station_id, connector_id=max(connector_id, 0))
    known = _same_start(station_id, report)
    if known is not None:
        return StartAnswer(known.transaction_id, known.told_authorization, True, known.start_is_credible)
    started = received.effective_time(report.reported_at)
    marks = _first_marks(received, report, started)
    later = _supersede(connector, started.at, marks)
    authorization = lock_presented(id_tag=report.id_tag, station_id=station_id, now=received_at)
    status = _counted_status(authorization, started.at, received_at)
    info = authorization.told() | {"status": status}
    if status != "Accepted":
        marks.append(Mark.REFUSED_TAG)
    if has_gap(connector.last_meter_stop_wh, report.meter_start):
        marks.append(Mark.METER_GAP)
    (transaction_id,) = draw_transaction_ids(count=1)
    row = Transaction(
        transaction_id=transaction_id,
        ref=str(transaction_id),
        station_id=station_id,
        connector=connector,
        id_tag=report.id_tag,
        tag_id=authorization.tag_id,
        told_authorization=info,
        accepted=status == "Accepted",
        reservation_id=report.reservation_id,
        reported_connector_id=report.connector_id,
        start_timestamp_raw=report.timestamp_raw,
        meter_start_raw=report.meter_start_raw,
        start_is_credible=started.is_credible,
        started_at=started.at,
        start_reported_at=report.reported_at,
        start_received_at=received_at,
        meter_start=report.meter_start,
        energy_wh=None if report.meter_start is None else Decimal(0),
        last_message_at=received_at,
        marks=marks,
    )
    if later is not None:
        # The start is older than the open transaction: its own stop may still come, but it is not what charges now.
        estimate_end(row, cause=EstimateCause.SUPERSEDED, at=min(started.at, later.started_at))
    row.save(force_insert=True)
    use_reservation(transaction=row, parent_id_tag=info.get("group_id_tag", ""), now=received_at)
    publish(transactions_started, Transaction, started=[Started(row.pk, station_id, received_at)])
    known_transactions.remember_on_commit({(station_id, row.transaction_id): row.pk})
    return StartAnswer(row.transaction_id, info, False, started.is_credible)


def _same_start(station_id: int, report: StartReport) -> Transaction | None:
    """Return the transaction as which this start is stored already, open or closed."""
    key: dict[str, Any] = {
        "station_id": station_id,
        "reported_connector_id": report.connector_id,
        "id_tag_folded": fold_id_tag(report.id_tag),
    }
    for name, value in (("start_timestamp_raw", report.timestamp_raw), ("meter_start_raw", report.meter_start_raw)):
        key |= {f"{name}__isnull": True} if value is None else {name: value}
    rows = Transaction.objects.filter(Q(start_is_credible=True) | Q(id_seen_at=None), **key)
    return rows.order_by("-pk").first()


def _supersede(connector: Connector, started_at: datetime, marks: list[str]) -> Transaction | None:
    """End by estimate what is open on the connector; leave it open and return it if it began later than this start."""
    running = Transaction.objects.open().filter(connector=connector)
    for row in running.select_for_update(no_key=True, of=("self",)):
        if started_at < row.started_at:
            marks.append(Mark.SUPERSEDED)
            return row
        estimate_end(row, cause=EstimateCause.SUPERSEDED, at=min(row.last_register_at or row.started_at, started_at))
        row.marks = sorted({*row.marks, Mark.SUPERSEDED, Mark.MISSING_STOP})
        row.save()
        publish_stopped(row)
    if Transaction.objects.filter(connector=connector, closing=Closing.REPORTED).open_at(started_at).exists():
        marks.append(Mark.OVERLAP)
    return None


def _counted_status(authorization: Authorization, started_at: datetime, received_at: datetime) -> str:
    """Return the tag's status, ConcurrentTx where it (or its group) charges as often as it may (OCPP 1.6 §7.2).

    Counts other accepted transactions open at the effective start, without open ones that are stale.
    """
    if not authorization.is_accepted or authorization.limit is None:
        return authorization.status
    others = (
        Transaction.objects.filter(accepted=True)
        .open_at(started_at)
        .exclude(closing=Closing.OPEN, last_message_at__lt=stale_since(received_at))
    )
    if authorization.limit_group_id is not None:
        others = others.filter(tag__group_id=authorization.limit_group_id)
    else:
        others = others.filter(tag_id=authorization.tag_id)
    return "ConcurrentTx" if others.count() >= authorization.limit else "Accepted"


def _first_marks(received: Received, report: StartReport, started: EffectiveTime) -> list[str]:
    """Return the marks that follow from how the message came: its time, and the station's registration status."""
    marks: list[str] = []
    if not started.is_credible:
        reported_at = report.reported_at
        is_ahead = reported_at is not None and reported_at > received.received_at + LATEST_AHEAD
        marks.append(Mark.FUTURE_TIME if is_ahead else Mark.CLOCK_UNSET)
    if not received.is_station_accepted:
        marks.append(Mark.NOT_ACCEPTED)
    return marks


def has_gap(previous: Decimal | None, meter_start: Decimal | None) -> bool:
    """Tell whether a start's register (Wh) is further than MAX_METER_GAP_WH from the previous stop's."""
    return previous is not None and meter_start is not None and abs(meter_start - previous) > MAX_METER_GAP_WH


def draw_transaction_ids(*, count: int) -> list[int]:
    """Return the next transaction ids of the sequence; those that are not stored leave a gap."""
    sql = "SELECT nextval('transactions_transaction_id_seq') FROM generate_series(1, %s::int)"
    return [transaction_id for (transaction_id,) in run_prepared(sql, [count])]


def skip_transaction_ids(*, count: int) -> None:
    """Skip the next `count` transaction ids, or as many as there are: a lost database may have given them out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT setval('transactions_transaction_id_seq',"
            " least(nextval('transactions_transaction_id_seq') + %s, 2147483646))",
            [count],
        )
