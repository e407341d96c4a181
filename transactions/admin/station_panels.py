"""What transactions, reservations and charging profiles add to a station's page and to the list of stations."""

from django.http import HttpRequest
from django.utils import timezone

from evcharging.back_office.display import ago, at, between, kwh, link, list_url, literal, wh, when
from evcharging.back_office.panels import Finding, PanelContent
from stations.admin.station_list import STATION_FACTS
from stations.admin.station_page import STATION_PAGE
from stations.models import Station
from transactions.admin.badges import mark_badges, profile_badge, reservation_badge, running_values
from transactions.admin.charging_profiles import limits_of
from transactions.models import OrphanMessage, OrphanState, ProfileStatus, Transaction
from transactions.selectors import open_counts, stale_since

LATEST = 10
LATEST_RESERVATIONS = 8
MAX_PROFILES = 16


@STATION_PAGE.panel("charging_now", title="Charging now", model="transactions.transaction")
def charging_now(request: HttpRequest, station: Station) -> PanelContent:
    """Show the open transactions; those without messages for TX_STALE_H are findings."""
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
                    running_values(row),
                    ago(row.last_message_at),
                    mark_badges(row.marks),
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


@STATION_PAGE.panel("orphans", title="Orphaned messages", model="transactions.orphanmessage")
def orphans(request: HttpRequest, station: Station) -> PanelContent:
    """Show the unmatched messages that wait for review; they are a finding."""
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


@STATION_PAGE.panel("reservations", title="Reservations", model="transactions.reservation")
def reservations(request: HttpRequest, station: Station) -> PanelContent:
    """Show the latest reservations."""
    rows = [
        [link(row), row.connector_id, literal(row.id_tag, 24), when(row.expires_at), reservation_badge(row)]
        for row in station.reservations.order_by("-pk")[:LATEST_RESERVATIONS]
    ]
    return PanelContent(
        {
            "headers": ["Id", "Connector", "Tag", "Until", "State"],
            "rows": rows,
            "empty": "Nothing was ever reserved here.",
            "more_url": list_url("transactions.reservation", station__id__exact=station.pk),
        }
    )


@STATION_PAGE.panel("charging_profiles", title="Charging profiles", model="transactions.chargingprofile")
def charging_profiles(request: HttpRequest, station: Station) -> PanelContent:
    """Show the charging profiles that are set, and the latest composite schedule."""
    active = station.charging_profiles.filter(status__in=(ProfileStatus.ACTIVE, ProfileStatus.REQUESTED))
    rows = [
        [
            link(row),
            row.connector_id,
            row.purpose,
            row.stack_level,
            limits_of(row.schedule, row.rate_unit),
            profile_badge(row),
        ]
        for row in active.order_by("connector_id", "-stack_level", "-pk")[:MAX_PROFILES]
    ]
    latest = station.composite_schedules.order_by("-received_at").first()
    if latest is not None:
        unit = str(latest.schedule.get("unit", ""))
        age = ago(latest.received_at)
        rows.append([link(latest, "Composite"), latest.connector_id, "", "", limits_of(latest.schedule, unit), age])
    return PanelContent(
        {
            "headers": ["Id", "Connector", "Purpose", "Level", "Limits", "State"],
            "rows": rows,
            "empty": "It was given no charging profile.",
            "more_url": list_url("transactions.chargingprofile", station__id__exact=station.pk),
        }
    )


@STATION_FACTS.register("open_transaction_count")
def open_transaction_count(stations: list[Station]) -> dict[int, int]:
    return open_counts(station.pk for station in stations)
