"""What transactions add to the pages of stations and tags."""

from django.http import HttpRequest
from django.utils import timezone

from evcharging.back_office.display import ago, at, between, kwh, link, list_url, literal, wh, when
from evcharging.back_office.panels import Finding, Panel, PanelContent
from id_tags.admin import IdTagAdmin, IdTagChangeList
from id_tags.models import IdTag
from stations.admin import StationAdmin
from stations.admin.fleet import StationChangeList
from stations.models import Station
from transactions.admin.badges import marks_of, now_of, state_of
from transactions.models import OrphanMessage, OrphanState, Transaction
from transactions.selectors import last_used_at, open_counts, open_counts_of_tags, stale_since

LATEST = 10


def running(request: HttpRequest, station: Station) -> PanelContent:
    """The open transactions of a station."""
    rows = list(
        Transaction.objects.open()
        .filter(connector__station=station)
        .select_related("connector")
        .order_by("connector__connector_id")[:50]
    )
    silent = [row for row in rows if row.last_message_at < stale_since(timezone.now())]
    return PanelContent(
        {
            "headers": ["Id", "Connector", "Tag", "Started", "Energy", "Now", "Last message", "Marks"],
            "rows": [
                [
                    link(row),
                    row.connector.connector_id,
                    literal(row.id_tag, 24),
                    when(row.started_at),
                    kwh(row.energy_wh),
                    now_of(row),
                    ago(row.last_message_at),
                    marks_of(row.marks),
                ]
                for row in rows
            ],
            "empty": "Nobody charges here.",
            "more": "All transactions",
            "more_url": list_url("transactions.transaction", station__id__exact=station.pk),
        },
        [
            Finding(
                "warning",
                f"Transaction {row.transaction_id} is open, but nothing was heard of it for "
                f"{between(row.last_message_at, timezone.now())}.",
            )
            for row in silent
        ],
    )


def waiting_orphans(request: HttpRequest, station: Station) -> PanelContent:
    """The station's messages that wait for review."""
    waiting = OrphanMessage.objects.filter(station=station, state=OrphanState.WAITING)
    latest = list(waiting.order_by("-received_at")[:LATEST])
    more = "or more " if len(latest) == LATEST else ""
    return PanelContent(
        {
            "headers": ["Received", "Kind", "Reported id", "Tag", "Meter stop", "Times"],
            "rows": [
                [
                    link(orphan, at(orphan.received_at)),
                    orphan.get_kind_display(),
                    literal(orphan.transaction_ref, 24),
                    literal(orphan.id_tag, 24),
                    wh(orphan.meter_stop),
                    orphan.count,
                ]
                for orphan in latest
            ],
            "empty": "Nothing waits for review.",
            "more_url": list_url("transactions.orphanmessage", station__id__exact=station.pk),
        },
        [Finding("warning", f"{len(latest)} {more}orphaned messages wait for review.")] if latest else [],
    )


def of_tag(request: HttpRequest, tag: IdTag) -> PanelContent:
    """The latest transactions of a tag."""
    rows = (
        Transaction.objects.filter(id_tag_folded=tag.id_tag_folded)
        .select_related("station", "connector")
        .order_by("-started_at")[:LATEST]
    )
    return PanelContent(
        {
            "headers": ["Id", "Station", "Connector", "Started", "Stopped", "Energy", "State", "Marks"],
            "rows": [
                [
                    link(row),
                    link(row.station),
                    row.connector.connector_id,
                    when(row.started_at),
                    when(row.stopped_at),
                    kwh(row.energy_wh),
                    state_of(row),
                    marks_of(row.marks),
                ]
                for row in rows
            ],
            "empty": "It has never charged.",
            "more_url": list_url("transactions.transaction", tag__id__exact=tag.pk),
        }
    )


StationAdmin.add_panel(Panel("Charging now", "back_office/table.html", running, "transactions.transaction", 20))
StationAdmin.add_panel(
    Panel(
        "Orphaned messages",
        "back_office/table.html",
        waiting_orphans,
        "transactions.orphanmessage",
        80,
        is_narrow=True,
    )
)
StationChangeList.counters["open_transaction_count"] = open_counts
IdTagAdmin.add_panel(Panel("Latest transactions", "back_office/table.html", of_tag, "transactions.transaction", 10))
IdTagChangeList.facts |= {"open_transaction_count": open_counts_of_tags, "last_used_at": last_used_at}
