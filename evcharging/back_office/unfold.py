"""Unfold's settings: name, colours and menu of the back office. Imported by settings.py, so it imports no app."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def _may_view(permission: str) -> Callable[[HttpRequest], bool]:
    app_label, _, model = permission.partition(".")

    def may(request: HttpRequest) -> bool:
        return any(request.user.has_perm(f"{app_label}.{verb}_{model}") for verb in ("view", "change"))

    return may


def _item(title: str, icon: str, model: str) -> dict[str, Any]:
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{model.replace('.', '_')}_changelist"),
        "permission": _may_view(model),
    }


def _stylesheet(request: HttpRequest) -> str:
    return static("back_office/back_office.css")


def _live(request: HttpRequest) -> str:
    return static("back_office/live.js")


def _favicon(request: HttpRequest) -> str:
    return static("back_office/favicon.svg")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "EV charging",
    "SITE_HEADER": "EV charging",
    "SITE_SUBHEADER": "Central system · times in UTC",
    "SITE_SYMBOL": "ev_station",
    "SITE_URL": None,
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": _favicon}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "evcharging.back_office.dashboard.add_figures",
    "STYLES": [_stylesheet],
    "SCRIPTS": [_live],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97% .014 254.604)",
            "100": "oklch(93.2% .032 255.585)",
            "200": "oklch(88.2% .059 254.128)",
            "300": "oklch(80.9% .105 251.813)",
            "400": "oklch(70.7% .165 254.624)",
            "500": "oklch(62.3% .214 259.815)",
            "600": "oklch(54.6% .245 262.881)",
            "700": "oklch(48.8% .243 264.376)",
            "800": "oklch(42.4% .199 265.638)",
            "900": "oklch(37.9% .146 265.522)",
            "950": "oklch(28.2% .091 267.935)",
        }
    },
    "SIDEBAR": {
        "show_search": False,
        "show_all_applications": False,
        "navigation": [
            {"items": [{"title": "Dashboard", "icon": "monitoring", "link": reverse_lazy("admin:index")}]},
            {
                "title": "Fleet",
                "items": [
                    _item("Stations", "ev_station", "stations.station"),
                    _item("Connectors", "power", "connectors.connector"),
                    _item("Transactions", "bolt", "transactions.transaction"),
                    _item("Reservations", "event", "transactions.reservation"),
                    _item("Charging profiles", "tune", "transactions.chargingprofile"),
                ],
            },
            {
                "title": "Waiting for you",
                "items": [
                    _item("Orphans", "help_center", "transactions.orphanmessage"),
                    _item("Unknown tags", "contactless_off", "id_tags.unknownidtag"),
                    _item("Refused connections", "block", "stations.refusedconnection"),
                    _item("Stop conflicts", "call_split", "transactions.stopconflict"),
                ],
            },
            {
                "title": "What stations were told",
                "items": [
                    _item("Commands", "send", "stations.command"),
                    _item("Local lists", "fact_check", "id_tags.locallistupdate"),
                    _item("Batches", "list_alt_check", "stations.commandbatch"),
                ],
            },
            {
                "title": "Who may charge",
                "items": [
                    _item("Id tags", "contactless", "id_tags.idtag"),
                    _item("Groups", "group_work", "id_tags.idtaggroup"),
                ],
            },
            {
                "title": "What stations said",
                "items": [
                    _item("Meter values", "speed", "meter.metervalue"),
                    _item("Series", "timeline", "meter.series"),
                    _item("Status history", "history", "status_notifications.statusnotification"),
                    _item("Boots", "restart_alt", "stations.boot"),
                    _item("Notices", "notifications", "stations.notice"),
                    _item("Certificate requests", "workspace_premium", "stations.certificaterequest"),
                    _item("Deviations", "rule", "stations.deviation"),
                ],
            },
            {
                "title": "Staff",
                "items": [
                    _item("Users", "person", "auth.user"),
                    _item("Roles", "shield_person", "auth.group"),
                    _item("API tokens", "key", "api.apitoken"),
                ],
            },
        ],
    },
}
