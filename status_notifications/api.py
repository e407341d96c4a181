"""The API's resource of status notifications: every status that was reported."""

from datetime import timedelta
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from evcharging.api.filters import PeriodFilterSet, WholeNumberFilter
from evcharging.api.serializers import RowSerializer
from evcharging.api.times import parse_instant
from evcharging.api.views import ListViewSet
from evcharging.db.time_windows import rows_by_time
from stations.api.filters import StationFilter
from status_notifications.models import StatusCode, StatusNotification

MAX_PERIOD = timedelta(days=1)
WORDS = [(code.label, code.label) for code in StatusCode if code.label]


class StatusNotificationSerializer(RowSerializer):
    """One status of one connector."""

    station = serializers.CharField(source="station.identity")
    status = serializers.CharField(source="word", help_text="The station's word, OCPP's or any other.")

    class Meta:
        model = StatusNotification
        fields = (
            "station", "connector_id", "status", "error_code", "info", "vendor_id", "vendor_error_code",
            "effective_at", "reported_at", "received_at",
        )  # fmt: skip
        read_only_fields = fields


class StatusNotificationForm(forms.Form):
    """Allow all stations together for a day at most: that much is sorted without an index."""

    def clean(self) -> dict[str, Any]:
        said: dict[str, Any] = super().clean() or {}
        if self.errors or said.get("station"):
            return said
        since, until = said.get("since"), said.get("until")
        for name in ("since", "until"):
            if not said.get(name):
                self.add_error(name, "Without a station, since and until are needed.")
        if since and until and until - since > MAX_PERIOD:
            self.add_error("until", "Without a station, at most one day after since.")
        return said


@extend_schema_field({"type": "string", "enum": [word for word, _ in WORDS]})
class WordFilter(filters.TypedChoiceFilter):
    """Filter by OCPP's word of a status, which is stored as a number."""


class StatusNotificationFilterSet(PeriodFilterSet):
    time_column = "effective_at"

    station = StationFilter()
    connector_id = WholeNumberFilter()
    status = WordFilter(choices=WORDS, coerce=lambda word: {code.label: code.value for code in StatusCode}.get(word))

    class Meta:
        form = StatusNotificationForm


class StatusNotificationViewSet(ListViewSet):
    """Status notifications of a station, or of all in a period of a day at most."""

    queryset = StatusNotification.objects.select_related("station")
    serializer_class = StatusNotificationSerializer
    filterset_class = StatusNotificationFilterSet
    orderings = {"-effective_at": "effective_at"}

    def read_rows(self, queryset: QuerySet, *, limit: int) -> list[Any]:
        """Read a station's history in windows of time: it need not be bounded in the request."""
        since, until = (
            parse_instant(text.replace(" ", "+")) if text else None
            for text in map(self.request.query_params.get, ("since", "until"))
        )
        return rows_by_time(queryset, column="effective_at", limit=limit, since=since, until=until, now=timezone.now())
