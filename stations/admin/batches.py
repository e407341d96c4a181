"""Command batches in the back office: the list, and a page whose progress is polled while the batch runs."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from evcharging.back_office.display import BAD, GOOD, NEWS, UNSURE, anchor, badge, change_url, link, when
from evcharging.back_office.filters import PeriodFilter, value_filter
from evcharging.back_office.model_admins import ReadOnlyAdmin
from evcharging.back_office.panels import PanelContent, PanelLayout, PanelPage
from stations.admin.commands import outcome_badge, pretty
from stations.admin.permissions import CommandPermission
from stations.models import CommandBatch
from stations.selectors import batch_progress
from stations.services.batches import BatchNotRunning, NothingToRetry, resume_batch, retry_batch, stop_batch

LIVE_MS = 1000
SHOWN = 200
BATCH_PAGE = PanelLayout(wide=["progress"])


def state_badge(batch: CommandBatch) -> SafeString:
    if batch.is_running:
        return badge("Running", NEWS)
    if batch.stopped_at is not None:
        return badge("Stopped", UNSURE)
    return badge("Done", GOOD)


@BATCH_PAGE.panel("progress", template="admin/stations/batch.html", model="stations.commandbatch")
def progress_of(request: HttpRequest, batch: CommandBatch) -> PanelContent:
    """Show progress, counts, and the stations that did not succeed; the page polls it until the batch has ended."""
    progress = batch_progress(batch_id=batch.pk)
    done = progress.succeeded + progress.failed + progress.refused
    is_open = batch.ended_at is None
    items = batch.items.exclude(command__succeeded=True).exclude(commanded_at=None)
    items = items.select_related("station", "command").order_by(F("commanded_at").desc(), "-pk")
    rows = [
        [
            link(item.station),
            badge("Refused by us", BAD)
            if item.command is None
            else anchor(change_url(item.command), outcome_badge(item.command)),
            item.refusal if item.command is None else (item.command.error or {}).get("description", ""),
        ]
        for item in items[:SHOWN]
    ]
    return PanelContent(
        {
            "state": state_badge(batch),
            "progress": progress,
            "done": done,
            "parts": [
                ("success", 100 * progress.succeeded / progress.total, f"{progress.succeeded} said yes"),
                ("danger", 100 * (progress.failed + progress.refused) / progress.total, "failed or refused"),
            ]
            if progress.total
            else [],
            "facts": [
                ("Said yes", progress.succeeded),
                ("Said no, or failed", progress.failed),
                ("Refused by our rules", progress.refused),
                ("On their way", progress.pending),
                ("Still to come", progress.waiting),
                ("Pace", f"{batch.stations_per_second:g} stations/s"),
                ("By", f"{batch.requested_by}, {batch.get_via_display()}"),
                ("Begun", when(batch.created_at)),
                ("Chosen", batch.selection),
                ("Reason", batch.reason),
            ],
            "payload": pretty(batch.payload),
            "headers": ["Station", "Outcome", "Why"],
            "rows": rows,
            "live_url": reverse("admin:stations_commandbatch_progress", args=[batch.pk]) if is_open else "",
            "live_ms": LIVE_MS,
        }
    )


@admin.register(CommandBatch)
class CommandBatchAdmin(CommandPermission, PanelPage, ReadOnlyAdmin):
    layout = BATCH_PAGE
    ordering = ("-created_at",)
    list_display = ("begun", "action", "state", "selection", "requested_by", "reason")
    list_filter = (value_filter("action", "action"), ("via", ChoicesDropdownFilter), ("created_at", PeriodFilter))
    search_fields = ("action", "selection", "requested_by", "reason")
    actions_detail = ("stop", "resume", "retry")
    fieldsets = (
        (
            "As stored",
            {
                "classes": ("collapse",),
                "fields": ("id", "action", "selection", "waits_s", "allows_invalid", "created_at"),
            },
        ),
    )

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.progress_view)
        return [path("<uuid:pk>/progress/", view, name="stations_commandbatch_progress"), *super().get_urls()]

    def progress_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Return the progress alone, for the page that polls it."""
        batch = get_object_or_404(CommandBatch, pk=pk)
        if not self.has_view_permission(request, batch):
            raise PermissionDenied
        return TemplateResponse(request, "admin/stations/batch.html", {"panel": progress_of(request, batch).variables})

    @action(description="Stop", icon="stop_circle", url_path="stop", permissions=["command"])
    def stop(self, request: HttpRequest, object_id: str) -> HttpResponse:
        try:
            stop_batch(batch_id=object_id, stopped_by=request.user.get_username(), now=timezone.now())  # type: ignore[arg-type]
        except BatchNotRunning as error:
            self.message_user(request, f"Nothing to stop: {error}.", messages.ERROR)
        else:
            self.message_user(request, "Stopped: no further station is commanded.", messages.SUCCESS)
        return HttpResponseRedirect("../change/")

    @action(description="Go on", icon="play_circle", url_path="resume", permissions=["command"])
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        try:
            resume_batch(batch_id=object_id, now=timezone.now())  # type: ignore[arg-type]
        except BatchNotRunning as error:
            self.message_user(request, f"It does not go on: {error}.", messages.ERROR)
        else:
            self.message_user(request, "It goes on.", messages.SUCCESS)
        return HttpResponseRedirect("../change/")

    @action(description="Retry the failed ones", icon="replay", url_path="retry", permissions=["command"])
    def retry(self, request: HttpRequest, object_id: str) -> HttpResponse:
        try:
            count = retry_batch(batch_id=object_id, now=timezone.now())  # type: ignore[arg-type]
        except NothingToRetry as error:
            self.message_user(request, f"Nothing to retry: {error}.", messages.ERROR)
        else:
            self.message_user(request, f"{count} stations are commanded again.", messages.SUCCESS)
        return HttpResponseRedirect("../change/")

    @display(description="Begun", ordering="created_at")
    def begun(self, batch: CommandBatch) -> SafeString:
        return when(batch.created_at)

    @display(description="State")
    def state(self, batch: CommandBatch) -> SafeString:
        return state_badge(batch)
