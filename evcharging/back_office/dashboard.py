"""The home page of the back office: figures of the whole fleet, and the latest faults and disconnections."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.http import HttpRequest
from django.utils import timezone

from connectors.admin.badges import connector_error_badge, connector_name
from connectors.selectors import faulted
from evcharging.back_office.display import BAD, GOOD, NEWS, UNSURE, ago, kw, link, list_url, may_see
from id_tags.models import UnknownIdTag
from stations.models import RefusedConnection, RegistrationStatus, Station
from stations.selectors import online_ids
from transactions.models import Closing, OrphanMessage, OrphanState, Transaction
from transactions.selectors import stale_since

DAY = timedelta(days=1)
LATEST = 8


@dataclass(frozen=True, slots=True)
class Figure:
    """A number, linked to the list of the rows it counts; `kind` is a badge kind, "" for none."""

    title: str
    value: str
    url: str
    detail: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """The latest rows of a list, with a link to all."""

    title: str
    headers: list[str]
    rows: list[list[Any]]
    empty: str
    more_url: str


def add_figures(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add the figures and tables of the models that the user may view (DASHBOARD_CALLBACK of Unfold).

    Each runs a constant number of queries.
    """
    now = timezone.now()
    figures: list[Figure] = []
    tables: list[Table] = []
    for model, load in FIGURES:
        if may_see(request, model):
            figures += load(now)
    for model, show in TABLES:
        if may_see(request, model):
            tables.append(show(now))
    return context | {"figures": figures, "tables": tables, "now": now}


def _stations(now: datetime) -> list[Figure]:
    by_status = dict(Station.objects.order_by().values_list("registration_status").annotate(Count("pk")))
    accepted = by_status.get(RegistrationStatus.ACCEPTED, 0)
    owned = Station.objects.filter(connected_at__isnull=False, disconnected_at=None)
    connected = list(owned.only("connected_at", "disconnected_at", "connection_epoch", "registration_status"))
    online = online_ids(stations=connected)
    working = sum(row.pk in online for row in connected if row.registration_status == RegistrationStatus.ACCEPTED)
    offline, pending = accepted - working, by_status.get(RegistrationStatus.PENDING, 0)
    stations = "stations.station"
    return [
        Figure(
            "Online",
            f"{len(online):,}",
            list_url(stations, connection="online"),
            f"of {sum(by_status.values()):,} stations",
            GOOD if online else "",
        ),
        Figure(
            "Offline",
            f"{offline:,}",
            list_url(stations, connection="offline", registration_status__exact=RegistrationStatus.ACCEPTED),
            "accepted, not connected",
            BAD if offline else "",
        ),
        Figure(
            "Pending",
            f"{pending:,}",
            list_url(stations, registration_status__exact=RegistrationStatus.PENDING),
            "wait to be accepted",
            UNSURE if pending else "",
        ),
    ]


def _faults(now: datetime) -> list[Figure]:
    count = faulted().count()
    url = list_url("connectors.connector", fault="yes")
    return [Figure("Faulted connectors", f"{count:,}", url, "report an error", BAD if count else "")]


def _transactions(now: datetime) -> list[Figure]:
    running = Transaction.objects.open().aggregate(
        rows=Count("pk"), power_w=Sum("power_w"), silent=Count("pk", filter=Q(last_message_at__lt=stale_since(now)))
    )
    day = Transaction.objects.filter(started_at__gte=now - DAY).aggregate(
        rows=Count("pk"), energy_wh=Sum("energy_wh"), marked=Count("pk", filter=~Q(marks=[]))
    )
    transactions = "transactions.transaction"
    since = {"started_at_from_0": f"{now - DAY:%Y-%m-%d}", "started_at_from_1": f"{now - DAY:%H:%M:%S}"}
    silent = f" · {running['silent']} silent" if running["silent"] else ""
    return [
        Figure(
            "Charging now",
            f"{running['rows']:,}",
            list_url(transactions, closing__exact=Closing.OPEN),
            f"{kw(running['power_w'] or 0.0)}{silent}",
            NEWS if running["rows"] else "",
        ),
        Figure(
            "Energy, last 24 h",
            f"{(day['energy_wh'] or 0.0) / 1000:,.0f} kWh",
            list_url(transactions, **since),
            f"{day['rows']:,} transactions",
        ),
        Figure(
            "Marked, last 24 h",
            f"{day['marked']:,}",
            list_url(transactions, mark="any", **since),
            "to look at before billing",
            UNSURE if day["marked"] else "",
        ),
    ]


def _orphans(now: datetime) -> list[Figure]:
    count = OrphanMessage.objects.filter(state=OrphanState.WAITING).count()
    url = list_url("transactions.orphanmessage")
    return [Figure("Orphans", f"{count:,}", url, "wait for review", UNSURE if count else "")]


def _unknown_tags(now: datetime) -> list[Figure]:
    count = UnknownIdTag.objects.count()
    url = list_url("id_tags.unknownidtag")
    return [Figure("Unknown tags", f"{count:,}", url, "were presented", UNSURE if count else "")]


def _refused(now: datetime) -> list[Figure]:
    count = RefusedConnection.objects.filter(last_seen_at__gte=now - DAY).count()
    url = list_url("stations.refusedconnection")
    return [Figure("Refused, last 24 h", f"{count:,}", url, "identities and reasons", UNSURE if count else "")]


def _faulted_table(now: datetime) -> Table:
    rows = faulted().select_related("station").order_by(F("status_at").desc(nulls_last=True), "pk")[:LATEST]
    return Table(
        "Faults",
        ["Station", "Connector", "Error", "Since"],
        [[link(row.station), connector_name(row), connector_error_badge(row), ago(row.status_at)] for row in rows],
        "No connector reports a fault.",
        list_url("connectors.connector", fault="yes"),
    )


def _offline_table(now: datetime) -> Table:
    rows = Station.objects.accepted().filter(disconnected_at__isnull=False).order_by("-disconnected_at", "pk")[:LATEST]
    return Table(
        "Gone offline last",
        ["Station", "Name", "Since", "Firmware"],
        [[link(row), row.name, ago(row.disconnected_at), row.firmware_version] for row in rows],
        "No accepted station has gone offline.",
        list_url("stations.station", connection="offline", registration_status__exact=RegistrationStatus.ACCEPTED),
    )


FIGURES: list[tuple[str, Callable[[datetime], list[Figure]]]] = [
    ("stations.station", _stations),
    ("connectors.connector", _faults),
    ("transactions.transaction", _transactions),
    ("transactions.orphanmessage", _orphans),
    ("id_tags.unknownidtag", _unknown_tags),
    ("stations.refusedconnection", _refused),
]
TABLES: list[tuple[str, Callable[[datetime], Table]]] = [
    ("connectors.connector", _faulted_table),
    ("stations.station", _offline_table),
]
