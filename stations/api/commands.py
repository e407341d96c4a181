"""Commands to stations: request, wait, read, cancel."""

import re
from typing import Any
from uuid import UUID

from django.utils import timezone
from django_filters import rest_framework as filters
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from evcharging.api.clients import username_of
from evcharging.api.filters import PeriodFilterSet, TextFilter, TrueOrFalseFilter
from evcharging.api.models import Scope
from evcharging.api.problems import Conflict, InvalidParameters, found
from evcharging.api.serializers import InstantField, KnownMembersOnly, RowSerializer, TextField, TrueOrFalseField
from evcharging.api.views import ListViewSet, ReadViewSet, valid
from stations.api.filters import StationFilter
from stations.models import Command, CommandStatus, CommandVia, ExpectedEffect, Station
from stations.operations import BadArguments, Operation, RawFrame, read_operation
from stations.selectors import wait_until_ended
from stations.services.commands import (
    CommandNotWaiting,
    CommandRefused,
    InvalidPayload,
    cancel_command,
    read_frame,
    request_command,
)
from stations.types import Origin

MAX_WAIT_S = 60.0
MAX_QUEUE_S = 30 * 86_400
WAIT = OpenApiParameter(
    "wait",
    OpenApiTypes.FLOAT,
    description=f"Answer once the station has, or after so many seconds (0 to {MAX_WAIT_S:g}).",
)


@extend_schema_field({"type": "object", "additionalProperties": True})
class PayloadField(serializers.JSONField):
    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, dict):
            raise serializers.ValidationError("A payload is a JSON object.")
        return data


class OperationRequestSerializer(KnownMembersOnly):
    """What to tell: in the words of OCPP 1.6 (`action`, `payload`) or of no version (`operation`, `arguments`)."""

    action = TextField(required=False, max_length=60, help_text="OCPP's name of the operation, as Reset.")
    payload = PayloadField(required=False, help_text="As OCPP's schema has it.")
    operation = TextField(required=False, max_length=40, help_text="Whatever the station speaks, as reset.")
    arguments = PayloadField(required=False, help_text="Of the operation; docs/api.md lists them.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("action" in attrs) == ("operation" in attrs):
            raise serializers.ValidationError({"action": ["Either action or operation says what is to be done."]})
        if ("payload" in attrs and "action" not in attrs) or ("arguments" in attrs and "operation" not in attrs):
            raise serializers.ValidationError("payload goes with action, arguments with operation.")
        return attrs


def operation_of(data: dict[str, Any]) -> Operation | RawFrame:
    """Return what a request asks for.

    :raises ValidationError: the operation or its arguments are unknown. :raises InvalidPayload: against the schema.
    """
    if "action" in data:
        allows_invalid = data.get("allows_invalid", False)
        return read_frame(action=data["action"], payload=data.get("payload", {}), allows_invalid=allows_invalid)
    try:
        return read_operation(data["operation"], data.get("arguments", {}))
    except BadArguments as error:
        if error.path == "operation":
            raise exceptions.ValidationError({"operation": [str(error)]}) from None
        raise nested("arguments", error.path, str(error)) from None


class CommandRequestSerializer(OperationRequestSerializer):
    """What to send, and how."""

    reason = TextField(required=False, allow_blank=True, max_length=500, help_text="Kept with the command.")
    waits_s = serializers.FloatField(
        required=False,
        min_value=0,
        max_value=MAX_QUEUE_S,
        help_text="How long it may wait for the station to connect.",
    )
    timeout_s = serializers.FloatField(
        required=False, min_value=1, max_value=600, help_text="How long the station has to answer."
    )
    resends = TrueOrFalseField(required=False, help_text="Send it again if a crash left it unanswered.")
    allows_invalid = TrueOrFalseField(required=False, help_text="Send it although it breaks OCPP's schema.")


class CommandSerializer(RowSerializer):
    """A command and what became of it."""

    station = serializers.CharField(source="station.identity")
    batch = serializers.UUIDField(source="batch_id", allow_null=True)
    follow_up = serializers.ChoiceField(
        source="expected_effect", choices=ExpectedEffect.choices, help_text="Whether what it is to lead to has come."
    )
    follow_up_note = serializers.CharField(source="effect_note")
    follow_up_at = InstantField(source="effect_at", allow_null=True)  # type: ignore[call-arg]

    class Meta:
        model = Command
        fields = (
            "id", "station", "operation", "arguments", "version", "action", "payload", "status", "succeeded",
            "result_status", "verdict", "response", "result", "error", "late_answer", "follow_up", "follow_up_note",
            "follow_up_at", "progress", "requested_by", "via", "reason", "batch", "allows_invalid", "created_at",
            "expires_at", "sent_at", "answered_at",
        )  # fmt: skip
        read_only_fields = fields


class CommandFilterSet(PeriodFilterSet):
    time_column = "created_at"

    station = StationFilter()
    action = TextFilter()
    status = filters.ChoiceFilter(choices=CommandStatus.choices)
    succeeded = TrueOrFalseFilter()
    requested_by = TextFilter()


class CommandViewSet(ReadViewSet):
    """Commands, latest first; since and until are of when they were requested."""

    queryset = Command.objects.select_related("station")
    serializer_class = CommandSerializer
    filterset_class = CommandFilterSet
    lookup_field = "id"
    lookup_value_converter = "uuid"
    write_scope = Scope.OPERATE
    orderings = {"-number": "number", "number": "number"}
    tie_breaker = "number"

    def get_object(self) -> Command:
        return found(self.get_queryset().filter(pk=self.kwargs["id"]).first(), "command")

    @extend_schema(request=None, responses={200: CommandSerializer})
    @action(detail=True, methods=["post"], write_scope=Scope.OPERATE, staff_verb="add", filterset_class=None)
    def cancel(self, request: Request, id: UUID) -> Response:
        """Take back a command that is still queued."""
        try:
            cancel_command(command_id=self.get_object().pk, cancelled_by=username_of(request), now=timezone.now())
        except CommandNotWaiting as error:
            raise Conflict(f"{error}.", problem_type="not-waiting") from None
        return Response(CommandSerializer(self.get_object()).data)


class StationCommandViewSet(ListViewSet):
    """Commands of one station, latest first."""

    queryset = Command.objects.select_related("station")
    serializer_class = CommandSerializer
    write_scope = Scope.OPERATE
    orderings = {"-number": "number", "number": "number"}
    tie_breaker = "number"

    @property
    def parameters(self) -> tuple[str, ...]:  # type: ignore[override]
        return ("wait",) if self.action == "create" else ()

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset
        return self.queryset.filter(station=self._station())

    @extend_schema(
        request=CommandRequestSerializer,
        responses={201: CommandSerializer, 202: CommandSerializer},
        parameters=[WAIT],
    )
    def create(self, request: Request, identity: str) -> Response:
        """Send a command: 201 once it has ended, 202 while it has not."""
        wait_s = _wait_s(request)
        station, data = self._station(), valid(CommandRequestSerializer, request)
        try:
            command = request_command(
                station_id=station.pk,
                operation=operation_of(data),
                origin=Origin(
                    username_of(request),
                    CommandVia.API,
                    timezone.now(),
                    data.get("reason", ""),
                    data.get("waits_s", 0),
                ),
                timeout_s=data.get("timeout_s"),
                resends=data.get("resends", False),
                allows_invalid=data.get("allows_invalid", False),
                command_id=self.idempotency_id,
            )
        except InvalidPayload as error:
            raise invalid_payload(error) from None
        except CommandRefused as error:
            raise Conflict(f"{error}.", problem_type="command-refused") from None
        if wait_s:
            command = wait_until_ended(command_id=command.pk, timeout_s=wait_s)
        headers = {"Location": f"/api/v1/commands/{command.pk}/"}
        return Response(CommandSerializer(command).data, status=201 if command.has_ended else 202, headers=headers)

    def _station(self) -> Station:
        return found(Station.objects.with_identity(self.kwargs["identity"]).first(), "station")


def invalid_payload(error: InvalidPayload) -> exceptions.ValidationError:
    """Return the error of a payload that violates OCPP's schema, at its place in the payload."""
    if error.field == "action":
        return exceptions.ValidationError({"action": [str(error)]})
    return nested("payload", error.field, str(error))


def nested(member: str, path: str, message: str) -> exceptions.ValidationError:
    """Return the problem of a place inside a member, `a.b[0].c`."""
    inner: Any = [message]
    for part in reversed([part for part in re.sub(r"\[\d*\]", "", path).split(".") if part]):
        inner = {part: inner}
    return exceptions.ValidationError({member: inner})


def _wait_s(request: Request) -> float:
    text = request.query_params.get("wait", "0")
    try:
        seconds = float(text) if len(text) <= 10 and text.isascii() else -1.0
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_S:
        raise InvalidParameters({"wait": [f"Seconds, 0 to {MAX_WAIT_S:g}."]})
    return seconds
