"""Reads of transactions."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from id_tags.models import IdTag, fold_id_tag
from stations.models import Station
from transactions.models import OrphanKind, OrphanMessage, OrphanState, Transaction

MAX_MATCHES = 200
"""How many stations or tags a search looks into."""


def open_counts(station_ids: Iterable[int]) -> dict[int, int]:
    """Return how many transactions are open at each station; stations without one are left out."""
    rows = Transaction.objects.open().filter(station_id__in=station_ids).order_by().values_list("station_id")
    return dict(rows.annotate(Count("pk")))


def open_counts_of_tags(tag_ids: Iterable[int]) -> dict[int, int]:
    """Return how many accepted transactions each tag has open; tags without one are left out."""
    rows = Transaction.objects.open().filter(accepted=True, tag_id__in=tag_ids).order_by().values_list("tag_id")
    return {tag_id: count for tag_id, count in rows.annotate(Count("pk")) if tag_id is not None}


def last_used_at(tag_ids: Iterable[int]) -> dict[int, datetime]:
    """Return when each tag last began a transaction."""
    latest = Transaction.objects.filter(id_tag_folded=OuterRef("id_tag_folded")).order_by("-started_at")
    rows = IdTag.objects.filter(pk__in=tag_ids).annotate(last=Subquery(latest.values("started_at")[:1]))
    return {pk: last for pk, last in rows.values_list("pk", "last") if last is not None}


def stale_since(now: datetime) -> datetime:
    """Return the instant before which the latest message of a stale open transaction came: TX_STALE_H ago."""
    return now - timedelta(hours=settings.TX_STALE_H)


def stale_count(now: datetime) -> int:
    """Return how many open transactions are stale."""
    return Transaction.objects.open().filter(last_message_at__lt=stale_since(now)).count()


def waiting_orphans() -> dict[str, int]:
    """Return how many messages of each kind wait for review; kinds without one are left out."""
    rows = OrphanMessage.objects.filter(state=OrphanState.WAITING).order_by().values_list("kind")
    return dict(rows.annotate(Count("pk")))


def matching(transactions: QuerySet[Transaction], words: str) -> QuerySet[Transaction]:
    """Return the transactions that every word matches: its id, its tag, or its station's identity or name.

    Looks stations and tags up first, so that the transactions are read by index only.
    """
    for word in words.split():
        folded = fold_id_tag(word)
        station_ids = Station.objects.filter(Q(identity__icontains=word) | Q(name__icontains=word)).order_by("pk")
        tag_ids = IdTag.objects.filter(id_tag_folded__contains=folded).order_by("pk")
        fits = (
            Q(id_tag_folded=folded)
            | Q(station_id__in=list(station_ids.values_list("pk", flat=True)[:MAX_MATCHES]))
            | Q(tag_id__in=list(tag_ids.values_list("pk", flat=True)[:MAX_MATCHES]))
        )
        if word.isascii() and word.isdecimal() and int(word) < 2**31:
            fits |= Q(transaction_id=int(word))
        transactions = transactions.filter(fits)
    return transactions


def adoption_candidates(orphan: OrphanMessage, *, limit: int = 20) -> list[Transaction]:
    """Return the transactions of the station that a waiting message may belong to, the likeliest first.

    For a stop those whose own stop has not come, for meter values any; those that began before the message come first.
    """
    rows = Transaction.objects.filter(station_id=orphan.station_id).select_related("connector", "station")
    if orphan.kind == OrphanKind.STOP:
        rows = rows.awaiting_stop()
    begun = list(rows.filter(started_at__lte=orphan.effective_at).order_by("-started_at")[:limit])
    if len(begun) < limit:  # a clock that was off may put the message before its transaction
        begun += rows.filter(started_at__gt=orphan.effective_at).order_by("started_at")[: limit - len(begun)]
    tag = fold_id_tag(orphan.id_tag)
    return sorted(begun, key=lambda row: not tag or row.id_tag_folded != tag)


def with_ref(station_id: int, ref: str) -> QuerySet[Transaction]:
    """Return the transactions of a station that it knows by this word; none for no word."""
    return Transaction.objects.filter(station_id=station_id, ref=ref)
