"""Orphans: messages whose transaction id matches none, to be adopted or dismissed."""

from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from evcharging.api.clients import username_of
from evcharging.api.filters import INT4, PeriodFilterSet
from evcharging.api.models import Scope
from evcharging.api.problems import Conflict, found
from evcharging.api.serializers import NoteSerializer, RowSerializer, WholeNumberField
from evcharging.api.views import ReadViewSet, valid
from stations.api.filters import StationFilter
from transactions.models import OrphanKind, OrphanMessage, OrphanState, Transaction
from transactions.services.orphans import OrphanAlreadyResolved, OrphanDoesNotFit, adopt_orphan, dismiss_orphan

OCPP16_KINDS = {OrphanKind.STOP: "StopTransaction", OrphanKind.METER_VALUES: "MeterValues"}
"""Kinds in the words of OCPP 1.6, which this API began with."""
KIND_CHOICES = [(word, OrphanKind(kind).label) for kind, word in OCPP16_KINDS.items()]


class KindField(serializers.ChoiceField):
    def to_representation(self, value: str) -> str:
        return OCPP16_KINDS.get(OrphanKind(value), value)


class OrphanSerializer(RowSerializer):
    """A message about a transaction whose id means nothing here."""

    station = serializers.CharField(source="station.identity")
    kind = KindField(choices=KIND_CHOICES)
    transaction_id = serializers.IntegerField(
        source="transaction.transaction_id", default=None, allow_null=True, help_text="Of what adopted it."
    )

    class Meta:
        model = OrphanMessage
        fields = (
            "id", "station", "kind", "transaction_ref", "connector_id", "id_tag", "meter_stop", "stop_reason",
            "reported_at", "effective_at", "last_effective_at", "received_at", "last_received_at", "count", "payload",
            "state", "transaction_id", "resolved_by", "resolved_at", "resolution_note",
        )  # fmt: skip
        read_only_fields = fields


class AdoptSerializer(NoteSerializer):
    """Which transaction the message belongs to, and why."""

    transaction_id = WholeNumberField(min_value=1, max_value=INT4[1])


class OrphanFilterSet(PeriodFilterSet):
    time_column = "received_at"

    station = StationFilter()
    state = filters.ChoiceFilter(choices=OrphanState.choices)
    kind = filters.ChoiceFilter(choices=KIND_CHOICES, method="of_kind")

    def of_kind(self, queryset: QuerySet[OrphanMessage], name: str, value: str) -> QuerySet[OrphanMessage]:
        return queryset.filter(kind__in=[kind for kind, word in OCPP16_KINDS.items() if word == value])


class OrphanViewSet(ReadViewSet):
    """Orphans; since and until are of when they were first received."""

    queryset = OrphanMessage.objects.select_related("station", "transaction")
    serializer_class = OrphanSerializer
    filterset_class = OrphanFilterSet
    lookup_value_converter = "int"
    orderings = {"-received_at": "received_at", "id": "id"}

    def get_object(self) -> OrphanMessage:
        return found(self.get_queryset().filter(pk=self.kwargs["pk"]).first(), "orphan")

    @extend_schema(request=AdoptSerializer, responses={200: OrphanSerializer})
    @action(detail=True, methods=["post"], write_scope=Scope.OPERATE, staff_verb="change", filterset_class=None)
    def adopt(self, request: Request, pk: int) -> Response:
        """Give the message to a transaction of its station: a stop ends it, samples join its own."""
        orphan, said = self.get_object(), valid(AdoptSerializer, request)
        try:
            adopt_orphan(orphan_id=orphan.pk, **said, **self._resolver(request))
        except Transaction.DoesNotExist:
            raise exceptions.ValidationError({"transaction_id": ["There is no such transaction."]}) from None
        except OrphanAlreadyResolved as error:
            raise Conflict(f"It is {error}.", problem_type="resolved-already") from None
        except OrphanDoesNotFit as error:
            raise Conflict(f"It does not fit: {error}.", problem_type="does-not-fit") from None
        return Response(OrphanSerializer(self.get_object()).data)

    @extend_schema(request=NoteSerializer, responses={200: OrphanSerializer})
    @action(detail=True, methods=["post"], write_scope=Scope.OPERATE, staff_verb="change", filterset_class=None)
    def dismiss(self, request: Request, pk: int) -> Response:
        """Mark the message as needing nothing; it stays stored."""
        orphan, said = self.get_object(), valid(NoteSerializer, request)
        try:
            dismiss_orphan(orphan_id=orphan.pk, **said, **self._resolver(request))
        except OrphanAlreadyResolved as error:
            raise Conflict(f"It is {error}.", problem_type="resolved-already") from None
        return Response(OrphanSerializer(self.get_object()).data)

    def _resolver(self, request: Request) -> dict[str, Any]:
        return {"resolved_by": username_of(request), "now": timezone.now()}
