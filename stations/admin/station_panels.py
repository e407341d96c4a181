"""What stations show on their own page."""

from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from evcharging.back_office.display import ago, between, drift, list_url, literal, when
from evcharging.back_office.panels import Finding, PanelContent
from stations.admin.badges import STATUS_KINDS, status_badge
from stations.admin.commands import commands_of, configuration_of
from stations.admin.station_list import MAX_DRIFT_S
from stations.admin.station_page import STATION_PAGE
from stations.models import NoticeKind, RefusedConnection, RegistrationStatus, Station
from stations.selectors import online_ids

RECENT = timedelta(days=1)
LATEST = 10


@STATION_PAGE.panel("overview", template="admin/stations/overview.html", model="stations.station")
def overview(request: HttpRequest, station: Station) -> PanelContent:
    """Show connection, registration and hardware, with the findings on them."""
    now = timezone.now()
    is_online = station.pk in online_ids(stations=[station])
    refusals = list(refusals_of(station)[:LATEST])
    facts: list[tuple[str, Any]] = [
        ("Last frame", ago(station.last_seen_at)),
        ("Last boot", ago(station.last_boot_at)),
        ("Connected from", station.remote_address),
        ("Clock drift", drift(station.clock_drift_s)),
        ("Hardware", " ".join(filter(None, [station.vendor, station.model]))),
        ("Firmware", station.firmware_version),
        ("Serial number", station.charge_point_serial_number or station.charge_box_serial_number),
        ("Password", "set" if station.has_password else "none demanded"),
    ]
    return PanelContent(
        {
            "station": station,
            "is_online": is_online,
            "since": ago(station.connected_at if is_online else _offline_since(station)),
            "status_kind": STATUS_KINDS[RegistrationStatus(station.registration_status)],
            "statuses": [status for status in RegistrationStatus if status != station.registration_status],
            "may_change": request.user.has_perm("stations.change_station"),
            "facts": facts,
        },
        findings(station, is_online=is_online, refusals=refusals, now=now),
    )


def findings(station: Station, *, is_online: bool, refusals: list[RefusedConnection], now: datetime) -> list[Finding]:
    """Return what keeps the station from charging, or may."""
    found = []
    if station.connected_at is None:
        found.append(Finding("warning", "Never connected."))
    elif not is_online and station.is_online:
        found.append(
            Finding("danger", "Offline: the process that held its connection is gone, and it has not come back yet.")
        )
    elif not is_online:
        since = _offline_since(station)
        found.append(Finding("danger", f"Offline for {between(since or now, now)}."))
    elif station.last_boot_at is None:
        found.append(Finding("warning", "Connected, but it has never sent a BootNotification."))
    if station.registration_status == RegistrationStatus.PENDING:
        found.append(
            Finding("warning", "Waits to be accepted: its boots are answered Pending, and it must not charge.")
        )
    if station.registration_status == RegistrationStatus.REJECTED:
        found.append(Finding("danger", "Rejected: its boots are answered Rejected, and it must not charge."))
    for refusal in refusals:
        if refusal.last_seen_at >= now - RECENT and (not is_online or refusal.last_seen_at >= _connected(station)):
            found.append(
                Finding(
                    "danger",
                    f"Connections refused: {refusal.get_reason_display().lower()}, "
                    f"{refusal.count} times, last {between(refusal.last_seen_at, now)} ago.",
                )
            )
    if station.clock_drift_s is not None and abs(station.clock_drift_s) > MAX_DRIFT_S:
        found.append(Finding("warning", f"Its clock is off by {drift(station.clock_drift_s)}."))
    return found


def refusals_of(station: Station) -> QuerySet[RefusedConnection]:
    """Return the refused connections with the station's identity, whatever its case, latest first."""
    return RefusedConnection.objects.filter(identity__iexact=station.identity).order_by("-last_seen_at", "-pk")


@STATION_PAGE.panel("boots", title="Boots", model="stations.boot")
def boots(request: HttpRequest, station: Station) -> PanelContent:
    """Show the latest boots."""
    rows = [
        [
            when(boot.received_at),
            status_badge(boot.answered_status),
            " ".join(filter(None, [boot.vendor, boot.model])),
            boot.firmware_version,
        ]
        for boot in station.boots.order_by("-received_at")[:5]
    ]
    return PanelContent(
        {
            "headers": ["Received", "Answered", "Hardware", "Firmware"],
            "rows": rows,
            "empty": "It has never booted.",
            "more_url": list_url("stations.boot", station__id__exact=station.pk),
        }
    )


@STATION_PAGE.panel("refused_connections", title="Refused connections", model="stations.refusedconnection")
def refusals(request: HttpRequest, station: Station) -> PanelContent:
    """Show the refused connections with the station's identity."""
    rows = [
        [
            refusal.get_reason_display(),
            refusal.count,
            ago(refusal.last_seen_at),
            refusal.remote_address,
            refusal.detail,
        ]
        for refusal in refusals_of(station)[:LATEST]
    ]
    return PanelContent(
        {
            "headers": ["Reason", "Times", "Last", "From", "Detail"],
            "rows": rows,
            "empty": "No connection with this identity was refused.",
        }
    )


@STATION_PAGE.panel("notices", title="Notices", model="stations.notice")
def notices(request: HttpRequest, station: Station) -> PanelContent:
    """Show the latest notices; security events within a day are findings."""
    latest = list(station.notices.order_by("-received_at")[:LATEST])
    since = timezone.now() - RECENT
    events = [row for row in latest if row.kind == NoticeKind.SECURITY_EVENT and row.received_at >= since]
    return PanelContent(
        {
            "headers": ["Received", "Kind", "Status", "Detail"],
            "rows": [
                [when(row.received_at), row.get_kind_display(), row.status, literal(row.detail)] for row in latest
            ],
            "empty": "No notices.",
            "more_url": list_url("stations.notice", station__id__exact=station.pk),
        },
        [Finding("warning", f"Security event within a day: {event.status or event.detail}.") for event in events[:3]],
    )


@STATION_PAGE.panel("deviations", title="Deviations", model="stations.deviation")
def deviations(request: HttpRequest, station: Station) -> PanelContent:
    """Show how the station's messages break the specification, latest first."""
    rows = [
        [
            row.action,
            literal(row.field),
            row.rule,
            literal(row.sample, 60),
            row.count,
            ago(row.last_seen_at),
        ]
        for row in station.deviations.order_by("-last_seen_at", "-pk")[:LATEST]
    ]
    return PanelContent(
        {
            "headers": ["Action", "Field", "Rule", "Sample", "Times", "Last"],
            "rows": rows,
            "empty": "Its messages keep to the specification.",
            "more_url": list_url("stations.deviation", station__id__exact=station.pk),
        }
    )


def _connected(station: Station) -> datetime:
    return station.connected_at or station.created_at


def _offline_since(station: Station) -> datetime | None:
    return station.disconnected_at or station.last_seen_at


STATION_PAGE.panel("commands", title="Commands", model="stations.command")(commands_of)
STATION_PAGE.panel("configuration", title="Configuration", model="stations.configurationkey")(configuration_of)
