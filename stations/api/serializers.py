"""Serializers of stations."""

from typing import Any

from rest_framework import serializers

from evcharging.api.serializers import InstantField, RowSerializer, TextField, TrueOrFalseField
from stations.models import Station
from stations.passwords import hash_password

OCPP16 = "ocpp1.6"
REPORTED = (
    "first_accepted_at", "created_at", "last_boot_at", "last_seen_at", "connected_at", "disconnected_at",
    "remote_address", "clock_drift_s", "vendor", "model", "firmware_version", "charge_point_serial_number",
    "charge_box_serial_number", "iccid", "imsi", "meter_type", "meter_serial_number",
)  # fmt: skip
SETTINGS = (
    "name", "registration_status", "time_zone", "id_tag_transform", "allow_any_username", "assume_ocpp16",
    "heartbeat_interval_s", "ping_interval_s", "idle_limit_s", "response_delay_ms",
)  # fmt: skip


class AssumesOcpp16Field(TrueOrFalseField):
    """Whether a connection without a valid Sec-WebSocket-Protocol is taken, as one of OCPP 1.6."""

    def to_representation(self, value: Any) -> bool:
        return value == OCPP16

    def to_internal_value(self, data: Any) -> Any:
        return OCPP16 if super().to_internal_value(data) else ""


class ConnectorSummarySerializer(serializers.Serializer):
    connector_id = serializers.IntegerField(help_text="0 is the station itself.")
    label = serializers.CharField()  # type: ignore[assignment]
    status = serializers.CharField(help_text="OCPP's word; empty while none was reported.")
    error_code = serializers.CharField()
    is_faulted = serializers.BooleanField()
    status_at = InstantField(allow_null=True)  # type: ignore[call-arg]


class StationSerializer(RowSerializer):
    """A charge point; what it reported of itself cannot be written."""

    online = serializers.BooleanField(source="online_now", read_only=True, help_text="Whether it is connected now.")
    has_password = serializers.BooleanField(read_only=True)
    connectors = ConnectorSummarySerializer(many=True, read_only=True)
    password = TextField(
        write_only=True,
        required=False,
        allow_blank=True,
        max_length=128,
        trim_whitespace=False,
        help_text="Of its next connection: 16 bytes or more, or 32 to 40 hex digits; empty demands none.",
    )

    assume_ocpp16 = AssumesOcpp16Field(source="assumed_version", required=False)

    class Meta:
        model = Station
        fields = ("identity", *SETTINGS, "password", "has_password", "online", "connectors", *REPORTED)
        read_only_fields = REPORTED

    def validate_identity(self, value: str) -> str:
        if not value.isprintable():
            raise serializers.ValidationError("There are characters that no charger can have in its URL.")
        return value

    def validate_password(self, value: str) -> str:
        if value:
            try:
                hash_password(value)
            except ValueError as error:
                raise serializers.ValidationError(f"{error}.") from None
        return value


class StationChangeSerializer(StationSerializer):
    """What of a station can be changed; its identity is what it is."""

    class Meta(StationSerializer.Meta):
        fields: Any = (*SETTINGS, "password")
        read_only_fields: Any = ()
