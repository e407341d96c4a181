"""Boots, notices, certificate requests and deviations: read-only records of a station's messages."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter
from unfold.decorators import display

from evcharging.back_office.display import BAD, NEWS, PLAIN, ago, badge, literal, when
from evcharging.back_office.filters import PeriodFilter, value_filter
from evcharging.back_office.model_admins import ReadOnlyAdmin
from stations.admin.badges import status_badge
from stations.admin.columns import of_station
from stations.models import Boot, CertificateRequest, Deviation, Notice, NoticeKind

KIND_COLOURS = {NoticeKind.SECURITY_EVENT: BAD, NoticeKind.DATA_TRANSFER: NEWS}


class RecordAdmin(ReadOnlyAdmin):
    """Records of a station, latest first."""

    ordering = ("-pk",)
    list_select_related = ("station",)
    search_fields: tuple[str, ...] = ("station__identity", "station__name")
    search_help_text = "Station"

    @display(description="Received", ordering="received_at")
    def received(self, row: Boot | Notice | CertificateRequest) -> SafeString:
        return when(row.received_at)


@admin.register(Boot)
class BootAdmin(RecordAdmin):
    list_display = ("received", of_station, "answered", "vendor", "model", "firmware_version")
    list_filter = (
        ("station", AutocompleteSelectFilter),
        ("answered_status", ChoicesDropdownFilter),
        ("received_at", PeriodFilter),
    )
    fields = ("station", "received_at", "answered_status", "vendor", "model", "firmware_version", "payload")

    @display(description="Answered", ordering="answered_status")
    def answered(self, boot: Boot) -> SafeString:
        return status_badge(boot.answered_status)


@admin.register(Notice)
class NoticeAdmin(RecordAdmin):
    list_display = ("received", of_station, "kind_badge", "status", "detail_text")
    list_filter = (
        ("station", AutocompleteSelectFilter), ("kind", ChoicesDropdownFilter), ("received_at", PeriodFilter),
    )  # fmt: skip
    fields = ("station", "kind", "status", "request_id", "detail", "reported_at", "received_at", "payload")

    @display(description="Kind", ordering="kind")
    def kind_badge(self, notice: Notice) -> SafeString:
        return badge(notice.get_kind_display(), KIND_COLOURS.get(NoticeKind(notice.kind), PLAIN))

    @display(description="Detail")
    def detail_text(self, notice: Notice) -> SafeString:
        return literal(notice.detail)


@admin.register(CertificateRequest)
class CertificateRequestAdmin(RecordAdmin):
    list_display = ("received", of_station, "csr_start")
    list_filter = (("station", AutocompleteSelectFilter), ("received_at", PeriodFilter))
    fields = ("station", "received_at", "csr")

    @display(description="Request")
    def csr_start(self, request: CertificateRequest) -> SafeString:
        return literal(request.csr, 60)


@admin.register(Deviation)
class DeviationAdmin(RecordAdmin):
    list_display = (
        "rule",
        of_station,
        "firmware_version",
        "action",
        "field_path",
        "sample_text",
        "count",
        "last_seen",
    )
    list_filter = (
        ("station", AutocompleteSelectFilter), value_filter("rule", "rule"), value_filter("action", "action"),
        value_filter("firmware_version", "firmware"), ("last_seen_at", PeriodFilter),
    )  # fmt: skip
    search_fields = ("station__identity", "station__name", "rule", "field")
    search_help_text = "Station, rule or field"
    fields = (
        "station",
        "firmware_version",
        "action",
        "field",
        "rule",
        "sample",
        "count",
        "first_seen_at",
        "last_seen_at",
    )

    @display(description="Field", ordering="field")
    def field_path(self, deviation: Deviation) -> SafeString:
        return literal(deviation.field)

    @display(description="Sample")
    def sample_text(self, deviation: Deviation) -> SafeString:
        return literal(deviation.sample, 60)

    @display(description="Last seen", ordering="last_seen_at")
    def last_seen(self, deviation: Deviation) -> SafeString:
        return ago(deviation.last_seen_at)
