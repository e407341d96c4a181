"""Transactions: read, and closed by staff where no stop came."""

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from evcharging.api.clients import username_of
from evcharging.api.filters import PeriodFilterSet, TextFilter, TrueOrFalseFilter, WholeNumberFilter
from evcharging.api.models import Scope
from evcharging.api.problems import Conflict, found
from evcharging.api.serializers import NoteSerializer, RowSerializer
from evcharging.api.views import ReadViewSet, valid
from id_tags.models import fold_id_tag
from stations.api.filters import StationFilter
from transactions.models import Closing, Mark, Transaction
from transactions.services.closing import TransactionNotOpen, close_transaction

ID_TAG_INFO = {"expires_at": "expiryDate", "group_id_tag": "parentIdTag"}


class IdTagInfoField(serializers.DictField):
    """What a station was told of a tag, in the words of OCPP 1.6, which this API began with."""

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        return {ID_TAG_INFO.get(name, name): text for name, text in value.items()}


class TransactionSerializer(RowSerializer):
    """One charging session. Times are effective ones beside reported and received ones; energy in Wh, power in W."""

    station = serializers.CharField(source="station.identity")
    connector_id = serializers.IntegerField(source="connector.connector_id")
    marks = serializers.ListField(
        child=serializers.ChoiceField(choices=Mark.choices), help_text="Reasons to look at it before billing it."
    )
    stop_reason = serializers.CharField(help_text="The station's word, OCPP's or any other; empty until its stop.")
    id_tag_info = IdTagInfoField(
        source="told_authorization", help_text="What the station was answered (OCPP 1.6 idTagInfo)."
    )

    class Meta:
        model = Transaction
        fields = (
            "transaction_id", "ref", "station", "connector_id", "plug", "id_tag", "id_tag_kind", "accepted",
            "id_tag_info", "reservation_id", "started_at", "start_reported_at", "start_received_at", "meter_start",
            "closing", "stopped_at", "stop_reported_at", "stop_received_at", "meter_stop", "stop_reason",
            "stop_id_tag",
            "estimated_stopped_at", "estimated_energy_wh", "estimate_cause", "closed_by", "close_note", "energy_wh",
            "last_register_wh", "last_register_at", "power_w", "power_at", "soc_percent", "soc_at", "last_message_at",
            "marks",
        )  # fmt: skip
        read_only_fields = fields


class TransactionFilterSet(PeriodFilterSet):
    time_column = "started_at"

    station = StationFilter()
    connector_id = WholeNumberFilter(field_name="connector__connector_id")
    id_tag = TextFilter(method="of_tag", label="As reported, whatever its case.")
    closing = filters.ChoiceFilter(choices=Closing.choices)
    accepted = TrueOrFalseFilter(label="Whether the tag was accepted.")
    mark = filters.ChoiceFilter(choices=Mark.choices, method="with_mark", label="With this mark.")
    marked = TrueOrFalseFilter(method="suspicious", label="Whether it has any mark.")

    def of_tag(self, queryset: QuerySet[Transaction], name: str, value: str) -> QuerySet[Transaction]:
        return queryset.filter(id_tag_folded=fold_id_tag(value))

    def with_mark(self, queryset: QuerySet[Transaction], name: str, value: str) -> QuerySet[Transaction]:
        return queryset.filter(marks__contains=[value])

    def suspicious(self, queryset: QuerySet[Transaction], name: str, value: bool) -> QuerySet[Transaction]:
        return queryset.exclude(marks=[]) if value else queryset.filter(marks=[])


class TransactionViewSet(ReadViewSet):
    """Transactions, by the id that the station knows; since and until are of their start."""

    queryset = Transaction.objects.select_related("station", "connector")
    serializer_class = TransactionSerializer
    filterset_class = TransactionFilterSet
    lookup_field = "transaction_id"
    lookup_value_converter = "int"
    orderings = {"-started_at": "started_at", "transaction_id": "transaction_id"}

    def get_object(self) -> Transaction:
        rows = self.get_queryset().filter(transaction_id=self.kwargs["transaction_id"])
        return found(rows.first(), "transaction")

    @extend_schema(request=NoteSerializer, responses={200: TransactionSerializer})
    @action(detail=True, methods=["post"], write_scope=Scope.OPERATE, staff_verb="change", filterset_class=None)
    def close(self, request: Request, transaction_id: int) -> Response:
        """Close an open transaction as of its last reading; should the station still report its stop, that counts."""
        row, said = self.get_object(), valid(NoteSerializer, request)
        try:
            close_transaction(pk=row.pk, closed_by=username_of(request), note=said["note"], now=timezone.now())
        except TransactionNotOpen as error:
            raise Conflict(f"{error}.", problem_type="not-open") from None
        return Response(TransactionSerializer(self.get_object()).data)
