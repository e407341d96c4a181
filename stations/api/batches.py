"""Command batches: one action for many stations."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from evcharging.api.clients import username_of
from evcharging.api.filters import PeriodFilterSet, TextFilter
from evcharging.api.models import Scope
from evcharging.api.problems import Conflict, found
from evcharging.api.serializers import (
    InstantField,
    RowSerializer,
    TextField,
    TrueOrFalseField,
    WholeNumberField,
)
from evcharging.api.views import ListViewSet, ReadViewSet, valid
from stations.api.commands import MAX_QUEUE_S, OperationRequestSerializer, invalid_payload, operation_of
from stations.models import CommandBatch, CommandBatchItem, CommandVia, Station
from stations.selectors import UnknownFilter, batch_progress, stations_matching
from stations.services.batches import (
    BatchNotRunning,
    NothingToRetry,
    create_batch,
    resume_batch,
    retry_batch,
    stop_batch,
)
from stations.services.commands import CommandRefused, InvalidPayload
from stations.types import Origin

MAX_NAMED = 10_000


class BatchRequestSerializer(OperationRequestSerializer):
    """What to send to whom: to `stations` by identity, or to all that fit every word of `filter`."""

    stations = serializers.ListField(child=TextField(max_length=255), required=False, max_length=MAX_NAMED)
    filter = serializers.ListField(
        child=TextField(max_length=300),
        required=False,
        max_length=20,
        help_text="As vendor=ABB, identity=CP-*, online.",
    )
    stations_per_second = serializers.FloatField(required=False, min_value=0.1, max_value=1000)
    waits_s = WholeNumberField(required=False, min_value=0, max_value=MAX_QUEUE_S)
    reason = TextField(required=False, allow_blank=True, max_length=500)
    allows_invalid = TrueOrFalseField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if ("stations" in attrs) == ("filter" in attrs):
            raise serializers.ValidationError("Either stations or filter says who is meant.")
        return attrs


class ProgressSerializer(serializers.Serializer):
    """How many stations are where."""

    total = serializers.IntegerField()
    waiting = serializers.IntegerField(help_text="Not commanded yet.")
    pending = serializers.IntegerField(help_text="Commanded, no answer yet.")
    succeeded = serializers.IntegerField()
    failed = serializers.IntegerField(help_text="Answered no, with an error, or not at all.")
    refused = serializers.IntegerField(help_text="Not sent, by our own rules.")


class BatchSerializer(RowSerializer):
    """One action over many stations."""

    class Meta:
        model = CommandBatch
        fields: Any = (
            "id", "operation", "arguments", "action", "payload", "selection", "requested_by", "via", "reason",
            "stations_per_second", "waits_s", "created_at", "stopped_at", "ended_at",
        )  # fmt: skip
        read_only_fields = fields


class BatchDetailSerializer(BatchSerializer):
    progress = serializers.SerializerMethodField()

    class Meta(BatchSerializer.Meta):
        fields = (*BatchSerializer.Meta.fields, "progress")
        read_only_fields = fields

    @extend_schema(responses=ProgressSerializer)
    def get_progress(self, batch: CommandBatch) -> ProgressSerializer:
        return ProgressSerializer(batch_progress(batch_id=batch.pk)).data  # type: ignore[return-value]


class BatchItemSerializer(serializers.Serializer):
    """One station of a batch."""

    station = serializers.CharField(source="station.identity")
    command = serializers.UUIDField(source="command_id", allow_null=True)
    status = serializers.CharField(source="command.status", default=None, allow_null=True)
    succeeded = serializers.BooleanField(source="command.succeeded", default=None, allow_null=True)
    result_status = serializers.CharField(source="command.result_status", default=None, allow_null=True)
    refusal = serializers.CharField(help_text="Why it was not sent; empty where it was, or will be.")
    commanded_at = InstantField(allow_null=True)  # type: ignore[call-arg]


class BatchFilterSet(PeriodFilterSet):
    time_column = "created_at"

    action = TextFilter()
    requested_by = TextFilter()


class BatchViewSet(ReadViewSet):
    """Command batches, latest first; since and until are of when they were begun."""

    queryset = CommandBatch.objects.all()
    serializer_class = BatchSerializer
    filterset_class = BatchFilterSet
    lookup_field = "id"
    lookup_value_converter = "uuid"
    write_scope = Scope.OPERATE
    orderings = {"-created_at": "created_at"}

    def get_object(self) -> CommandBatch:
        return found(self.get_queryset().filter(pk=self.kwargs["id"]).first(), "batch")

    @extend_schema(responses=BatchDetailSerializer)
    def retrieve(self, request: Request, id: UUID) -> Response:
        """A batch with its progress."""
        return Response(BatchDetailSerializer(self.get_object()).data)

    @extend_schema(request=BatchRequestSerializer, responses={201: BatchDetailSerializer})
    def create(self, request: Request) -> Response:
        """Begin a batch."""
        data = valid(BatchRequestSerializer, request)
        stations, selection = _selected(data)
        try:
            batch = create_batch(
                station_ids=stations.values_list("pk", flat=True),
                operation=operation_of(data),
                origin=Origin(
                    username_of(request),
                    CommandVia.API,
                    timezone.now(),
                    data.get("reason", ""),
                    data.get("waits_s", 0),
                ),
                selection=selection,
                stations_per_second=data.get("stations_per_second", 20),
                allows_invalid=data.get("allows_invalid", False),
                batch_id=self.idempotency_id,
            )
        except InvalidPayload as error:
            raise invalid_payload(error) from None
        except CommandRefused as error:
            raise Conflict(f"{error}.", problem_type="command-refused") from None
        headers = {"Location": f"/api/v1/command-batches/{batch.pk}/"}
        return Response(BatchDetailSerializer(batch).data, status=201, headers=headers)

    @extend_schema(request=None, responses={200: BatchDetailSerializer})
    @action(detail=True, methods=["post"], write_scope=Scope.OPERATE, staff_verb="add", filterset_class=None)
    def stop(self, request: Request, id: UUID) -> Response:
        """Command no further station, and take back what is queued."""
        batch = self.get_object()
        try:
            stop_batch(batch_id=batch.pk, stopped_by=username_of(request), now=timezone.now())
        except BatchNotRunning as error:
            raise Conflict(f"{error}.", problem_type="not-running") from None
        return Response(BatchDetailSerializer(self.get_object()).data)

    @extend_schema(request=None, responses={200: BatchDetailSerializer})
    @action(detail=True, methods=["post"], write_scope=Scope.OPERATE, staff_verb="add", filterset_class=None)
    def resume(self, request: Request, id: UUID) -> Response:
        """Go on with the stations that remain."""
        batch = self.get_object()
        try:
            resume_batch(batch_id=batch.pk, now=timezone.now())
        except BatchNotRunning as error:
            raise Conflict(f"{error}.", problem_type="not-running") from None
        return Response(BatchDetailSerializer(self.get_object()).data)

    @extend_schema(request=None, responses={200: BatchDetailSerializer})
    @action(detail=True, methods=["post"], write_scope=Scope.OPERATE, staff_verb="add", filterset_class=None)
    def retry(self, request: Request, id: UUID) -> Response:
        """Command those again that were refused, failed, or said no."""
        batch = self.get_object()
        try:
            retry_batch(batch_id=batch.pk, now=timezone.now())
        except NothingToRetry as error:
            raise Conflict(f"{error}.", problem_type="nothing-to-retry") from None
        return Response(BatchDetailSerializer(self.get_object()).data)


class BatchItemViewSet(ListViewSet):
    """The stations of a batch, each with its result."""

    queryset = CommandBatchItem.objects.select_related("station", "command")
    serializer_class = BatchItemSerializer
    orderings = {"id": "id"}

    def get_queryset(self) -> QuerySet[CommandBatchItem]:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        batch = found(CommandBatch.objects.filter(pk=self.kwargs["id"]).first(), "batch")
        return self.queryset.filter(batch=batch)


def _selected(data: dict[str, Any]) -> tuple[QuerySet[Station], str]:
    if "filter" in data:
        try:
            return stations_matching(data["filter"]), " ".join(data["filter"])
        except UnknownFilter as error:
            raise exceptions.ValidationError({"filter": [str(error)]}) from None
    identities = {identity.lower() for identity in data["stations"]}
    stations = Station.objects.with_identities(identities)
    known = {identity.lower() for identity in stations.values_list("identity", flat=True)}
    unknown = sorted(identities - known)
    if unknown:
        raise exceptions.ValidationError({"stations": [f"There is no station {', '.join(unknown[:10])}."]})
    return stations, f"{len(identities)} by identity"
