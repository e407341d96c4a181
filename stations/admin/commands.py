"""Commands in the back office: the list, and a page whose outcome is polled until it is final."""

import json
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import action, display

from evcharging.back_office.display import (
    BAD,
    GOOD,
    NEWS,
    NOTHING,
    PLAIN,
    UNSURE,
    ago,
    anchor,
    at,
    badge,
    joined,
    link,
    list_url,
    literal,
    when,
)
from evcharging.back_office.filters import PeriodFilter, value_filter
from evcharging.back_office.model_admins import ActionsWhile, ReadOnlyAdmin
from evcharging.back_office.panels import PanelContent, PanelLayout, PanelPage
from stations.admin.columns import of_station
from stations.admin.operation_links import operation_url
from stations.admin.permissions import CommandPermission, may_command
from stations.models import Command, CommandStatus, ExpectedEffect, Station
from stations.operations import ChangeConfiguration, ReadConfiguration
from stations.services.commands import CommandNotWaiting, cancel_command

LATEST = 8
LIVE_MS, FOLLOWING_MS = 700, 4000
EFFECT_KINDS = {ExpectedEffect.WAITING: NEWS, ExpectedEffect.DONE: GOOD, ExpectedEffect.FAILED: BAD}
COMMAND_PAGE = PanelLayout(wide=["outcome"])


def outcome_badge(command: Command) -> SafeString:
    """Return the state of a command as a badge; the status of the station's answer where it has one."""
    if not command.has_ended:
        return badge(command.get_status_display(), NEWS)
    if command.status == CommandStatus.ANSWERED:
        word = command.result_status or ("Answered" if command.succeeded else "Unreadable")
        return badge(word, GOOD if command.succeeded else BAD)
    kind = PLAIN if command.status == CommandStatus.CANCELLED else BAD
    code = (command.error or {}).get("code") if command.status == CommandStatus.CALL_ERROR else ""
    return badge(code or command.get_status_display(), kind)


def effect_badge(command: Command) -> SafeString:
    """Return the expected effect of a command and whether it came, as a badge."""
    if not command.expected_effect:
        return NOTHING
    text = command.effect_note or command.get_expected_effect_display()
    return badge(text, EFFECT_KINDS[ExpectedEffect(command.expected_effect)])


@COMMAND_PAGE.panel("outcome", template="admin/stations/outcome.html", model="stations.command")
def outcome(request: HttpRequest, command: Command) -> PanelContent:
    """Show the outcome of a command; the page polls it until answer and effect are final."""
    every = (
        LIVE_MS if not command.has_ended else FOLLOWING_MS if command.expected_effect == ExpectedEffect.WAITING else 0
    )
    error = command.error or {}
    facts: list[tuple[str, Any]] = [
        ("Outcome", outcome_badge(command)),
        ("Why", ": ".join(filter(None, [error.get("code"), error.get("description")]))),
        ("What followed", effect_badge(command)),
        ("Station", link(command.station)),
        ("Requested", when(command.created_at)),
        ("Sent", when(command.sent_at)),
        ("Answered after", "" if command.latency_s is None else f"{command.latency_s:.3f} s"),
        ("By", f"{command.requested_by}, {command.get_via_display()}"),
        ("Reason", command.reason),
        ("Batch", link(command.batch)),
        ("Because of", link(command.parent)),
        ("Breaks the schema", "yes, staff insisted" if command.allows_invalid else ""),
    ]
    progress = [
        [when(parse_datetime(at)), word] for at, word in (entry for entry in command.progress if len(entry) == 2)
    ]
    return PanelContent(
        {
            "facts": [(name, value) for name, value in facts if value],
            "payload": pretty(command.payload),
            "response": pretty(command.response) if command.response is not None else "",
            "details": pretty(error["details"]) if error.get("details") else "",
            "raw": command.raw_answer,
            "late": pretty(command.late_answer) if command.late_answered_at else "",
            "late_at": when(command.late_answered_at),
            "headers": ["Told", "Progress"],
            "rows": progress,
            "live_url": reverse("admin:stations_command_outcome", args=[command.pk]) if every else "",
            "live_ms": every,
        }
    )


def pretty(value: Any) -> str:
    """Return a value as indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@admin.register(Command)
class CommandAdmin(CommandPermission, ActionsWhile, PanelPage, ReadOnlyAdmin):
    """Commands, read-only; a queued one can be cancelled. They are sent from the pages of stations."""

    layout = COMMAND_PAGE
    ordering = ("-number",)
    list_display = ("requested", of_station, "action", "result", "followed", "by", "reason")
    list_filter = (
        ("status", ChoicesDropdownFilter), ("station", AutocompleteSelectFilter), value_filter("action", "action"),
        ("via", ChoicesDropdownFilter), ("expected_effect", ChoicesDropdownFilter), ("created_at", PeriodFilter),
    )  # fmt: skip
    list_select_related = ("station",)
    search_fields = ("station__identity", "station__name", "action", "requested_by")
    search_help_text = "Station, action or who asked"
    actions_detail = ("cancel",)
    fieldsets = (
        (
            "As stored",
            {
                "classes": ("collapse",),
                "fields": (
                    "id", "number", "station", "action", "status", "succeeded", "result_status", "requested_by", "via",
                    "reason", "waits", "resends", "allows_invalid", "timeout_s", "attempts", "created_at",
                    "expires_at", "sent_at", "answered_at", "expected_effect", "effect_at", "effect_note",
                ),
            },
        ),
    )  # fmt: skip

    def get_queryset(self, request: HttpRequest) -> QuerySet[Command]:
        return super().get_queryset(request).select_related("station", "batch", "parent")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.outcome_view)
        return [path("<uuid:pk>/outcome/", view, name="stations_command_outcome"), *super().get_urls()]

    def outcome_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return the outcome alone, for the page that polls it."""
        command = get_object_or_404(self.get_queryset(request), pk=pk)
        if not self.has_view_permission(request, command):
            raise PermissionDenied
        return TemplateResponse(request, "admin/stations/outcome.html", {"panel": outcome(request, command).variables})

    def actionable(self) -> QuerySet[Command]:
        return Command.objects.filter(status=CommandStatus.QUEUED)

    @action(description="Cancel", icon="cancel", url_path="cancel", permissions=["command"])
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        command = get_object_or_404(Command, pk=object_id)
        try:
            cancel_command(command_id=command.pk, cancelled_by=request.user.get_username(), now=timezone.now())
        except CommandNotWaiting as error:
            self.message_user(request, f"Too late: {error}.", messages.ERROR)
        else:
            self.message_user(request, f"{command.action} is cancelled.", messages.SUCCESS)
        return HttpResponseRedirect("../change/")

    @display(description="Requested", ordering="number")
    def requested(self, command: Command) -> SafeString:
        return when(command.created_at)

    @display(description="Outcome", ordering="status")
    def result(self, command: Command) -> SafeString:
        return outcome_badge(command)

    @display(description="What followed", ordering="expected_effect")
    def followed(self, command: Command) -> SafeString:
        return effect_badge(command)

    @display(description="By", ordering="requested_by")
    def by(self, command: Command) -> str:
        return f"{command.requested_by} ({command.via})"


def commands_of(request: HttpRequest, station: Station) -> PanelContent:
    """Show the latest commands of a station."""
    rows = [
        [
            link(command, at(command.created_at)),
            command.action,
            joined([outcome_badge(command), effect_badge(command)]),
            command.requested_by,
        ]
        for command in station.commands.order_by("-number")[:LATEST]
    ]
    return PanelContent(
        {
            "headers": ["Requested", "Action", "Outcome", "By"],
            "rows": rows,
            "empty": "Nothing was ever sent to it.",
            "more_url": list_url("stations.command", station__id__exact=station.pk),
        }
    )


def configuration_of(request: HttpRequest, station: Station) -> PanelContent:
    """Show the configuration as last read; writable keys link to the form that changes them."""
    keys = list(station.configuration.order_by("key")[:300])
    may_change = may_command(request)

    def name(key: Any) -> Any:
        if not may_change or key.readonly or key.is_unknown:
            return literal(key.key, 60)
        return anchor(operation_url(station.pk, ChangeConfiguration, key=key.key, value=key.value or ""), key.key)

    rows = [
        [
            name(key),
            badge("unknown", PLAIN) if key.is_unknown else literal(key.value or "", 80),
            badge(f"{key.pending_value} after a restart", UNSURE) if key.pending_value is not None else "",
            ago(key.read_at),
        ]
        for key in keys
    ]
    return PanelContent(
        {
            "headers": ["Key", "Value", "", "Read"],
            "rows": rows,
            "empty": "It has not been read yet.",
            "more": "Read it now",
            "more_url": operation_url(station.pk, ReadConfiguration) if may_change else "",
        }
    )
