"""Reservations, charging profiles and composite schedules: read here, made and ended by commands."""

from typing import Any

from django_filters import rest_framework as filters
from rest_framework import serializers

from evcharging.api.filters import PeriodFilterSet, WholeNumberFilter
from evcharging.api.serializers import RowSerializer
from evcharging.api.views import ListViewSet, ReadViewSet
from stations.api.filters import StationFilter
from transactions.models import (
    ChargingProfile,
    CompositeSchedule,
    ProfilePurpose,
    ProfileStatus,
    Reservation,
    ReservationStatus,
)


class ReservationSerializer(RowSerializer):
    """One reservation; make one with the command ReserveNow, end it with CancelReservation."""

    station = serializers.CharField(source="station.identity")
    command = serializers.UUIDField(source="command_id", help_text="What asked for it.")
    transaction_id = serializers.IntegerField(
        source="transaction.transaction_id", default=None, allow_null=True, help_text="Which transaction used it."
    )

    class Meta:
        model = Reservation
        fields = (
            "id", "reservation_id", "station", "connector_id", "id_tag", "parent_id_tag", "expires_at", "status",
            "result_status", "transaction_id", "command", "created_by", "created_at", "ended_at",
        )  # fmt: skip
        read_only_fields = fields


class ReservationFilterSet(PeriodFilterSet):
    time_column = "created_at"

    station = StationFilter()
    status = filters.ChoiceFilter(choices=ReservationStatus.choices)
    connector_id = WholeNumberFilter()


class ReservationViewSet(ReadViewSet):
    """Reservations, latest first; since and until are of when they were asked for."""

    queryset = Reservation.objects.select_related("station", "transaction")
    serializer_class = ReservationSerializer
    filterset_class = ReservationFilterSet
    orderings = {"-id": "id", "id": "id"}


SCHEDULE = {
    "unit": "chargingRateUnit",
    "periods": "chargingSchedulePeriod",
    "duration_s": "duration",
    "starts_at": "startSchedule",
    "min_rate": "minChargingRate",
}
PERIOD = {"starts_s": "startPeriod", "phases": "numberPhases"}


class ScheduleField(serializers.DictField):
    """A schedule in the words of OCPP 1.6, which this API began with."""

    def to_representation(self, value: Any) -> dict[str, Any]:
        told = {SCHEDULE.get(name, name): item for name, item in value.items()}
        periods = told.get("chargingSchedulePeriod")
        if isinstance(periods, list):  # a station's composite schedule may hold anything
            told["chargingSchedulePeriod"] = [_in_ocpp16(period) for period in periods]
        return told


def _in_ocpp16(period: Any) -> Any:
    return {PERIOD.get(key, key): value for key, value in period.items()} if isinstance(period, dict) else period


class ChargingProfileSerializer(RowSerializer):
    """One charging profile; give one with the command SetChargingProfile, end it with ClearChargingProfile."""

    station = serializers.CharField(source="station.identity")
    command = serializers.UUIDField(source="command_id", help_text="What set it.")
    transaction_id = serializers.IntegerField(source="transaction.transaction_id", default=None, allow_null=True)
    schedule = ScheduleField(help_text="OCPP's chargingSchedule.")

    class Meta:
        model = ChargingProfile
        fields = (
            "id", "charging_profile_id", "station", "connector_id", "transaction_id", "purpose", "kind",
            "recurrency_kind", "stack_level", "valid_from", "valid_to", "rate_unit", "schedule", "status",
            "result_status", "command", "created_at", "ended_at",
        )  # fmt: skip
        read_only_fields = fields


class ChargingProfileFilterSet(PeriodFilterSet):
    time_column = "created_at"

    station = StationFilter()
    status = filters.ChoiceFilter(choices=ProfileStatus.choices)
    purpose = filters.ChoiceFilter(choices=ProfilePurpose.choices)
    connector_id = WholeNumberFilter()


class ChargingProfileViewSet(ReadViewSet):
    """Charging profiles, latest first; since and until are of when they were asked for."""

    queryset = ChargingProfile.objects.select_related("station", "transaction")
    serializer_class = ChargingProfileSerializer
    filterset_class = ChargingProfileFilterSet
    orderings = {"-id": "id", "id": "id"}


class CompositeScheduleSerializer(RowSerializer):
    """What a station said results from its profiles; ask with the command GetCompositeSchedule."""

    station = serializers.CharField(source="station.identity")
    command = serializers.UUIDField(source="command_id")
    schedule = ScheduleField(help_text="OCPP's chargingSchedule.")

    class Meta:
        model = CompositeSchedule
        fields = ("id", "station", "connector_id", "starts_at", "schedule", "command", "received_at")
        read_only_fields = fields


class CompositeScheduleFilterSet(PeriodFilterSet):
    time_column = "received_at"

    station = StationFilter()
    connector_id = WholeNumberFilter()


class CompositeScheduleViewSet(ListViewSet):
    """Composite schedules, latest first."""

    queryset = CompositeSchedule.objects.select_related("station")
    serializer_class = CompositeScheduleSerializer
    filterset_class = CompositeScheduleFilterSet
    orderings = {"-id": "id", "id": "id"}
