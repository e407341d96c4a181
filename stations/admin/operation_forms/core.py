"""Operations that are the station's own matter: restart, configuration, triggered messages, vendor messages."""

import json
from typing import Any

from django import forms

from stations.admin.operation_forms.base import OperationForm, operation_form
from stations.models import Command, Station
from stations.operations import (
    BOOT,
    DIAGNOSTICS_STATUS,
    FIRMWARE_STATUS,
    HEARTBEAT,
    LOG_STATUS,
    METER_VALUES,
    SIGN_CERTIFICATE,
    STATUS,
    ChangeConfiguration,
    ClearTagCache,
    Operation,
    RawFrame,
    ReadConfiguration,
    Reset,
    TransferData,
    TriggerMessage,
)
from stations.services.commands import read_frame, request_command
from stations.services.configuration import request_configuration

MESSAGES = [
    (BOOT, "Boot"), (HEARTBEAT, "Heartbeat"), (STATUS, "Status"), (METER_VALUES, "Meter values"),
    (DIAGNOSTICS_STATUS, "Status of diagnostics"), (FIRMWARE_STATUS, "Status of firmware"),
]  # fmt: skip
EXTENDED_MESSAGES = [
    (BOOT, "Boot"), (HEARTBEAT, "Heartbeat"), (STATUS, "Status"), (METER_VALUES, "Meter values"),
    (LOG_STATUS, "Status of a log upload"), (FIRMWARE_STATUS, "Status of firmware"),
    (SIGN_CERTIFICATE, "Request of a certificate"),
]  # fmt: skip


@operation_form
class ResetForm(OperationForm):
    operation, title, is_dangerous = Reset, "Reset", True
    explanation = "Soft lets it stop transactions in order; Hard is like a power cut. It is done when it is back."
    is_immediate = forms.TypedChoiceField(
        label="Type", choices=[("no", "Soft"), ("yes", "Hard")], coerce=lambda word: word == "yes"
    )


@operation_form
class ClearTagCacheForm(OperationForm):
    operation, title = ClearTagCache, "Clear the cache of tags"


@operation_form
class ReadConfigurationForm(OperationForm):
    operation, title, group = ReadConfiguration, "Read configuration", "Configuration"
    explanation = "What is read stands on the station's page."
    keys = forms.CharField(
        label="Keys", required=False, help_text="Separated by commas. Blank: all that the station has."
    )

    def clean_keys(self) -> list[str] | None:
        return [key.strip() for key in self.cleaned_data["keys"].split(",") if key.strip()] or None

    def request(self, *, station: Station, requested_by: str, now: Any) -> Command:
        """Ask in as many CALLs as the station needs; return the last, whose answer completes the picture."""
        if self.cleaned_data["waits_s"]:
            return super().request(station=station, requested_by=requested_by, now=now)
        sent = request_configuration(
            station_id=station.pk, keys=self.cleaned_data["keys"] or (), origin=self.origin(requested_by, now)
        )
        return sent[-1]


@operation_form
class ChangeConfigurationForm(OperationForm):
    operation, title, group = ChangeConfiguration, "Change configuration", "Configuration"
    explanation = "It is read again after the answer. A new AuthorizationKey serves from the station's Accepted on."
    key = forms.CharField(max_length=50, help_text="A key's name, as HeartbeatInterval.")
    value = forms.CharField(max_length=500, required=False, strip=False)

    def arguments(self) -> dict[str, Any]:
        return {"key": self.cleaned_data["key"], "value": self.cleaned_data["value"]}


class TriggerForm(OperationForm):
    """A message that the station is to send now."""

    operation = TriggerMessage
    message = forms.ChoiceField(choices=MESSAGES)
    connector_id = forms.IntegerField(
        label="Connector", required=False, min_value=1, help_text="Blank: every connector."
    )


@operation_form
class TriggerMessageForm(TriggerForm):
    title = "Trigger a message"


@operation_form
class ExtendedTriggerMessageForm(TriggerForm):
    name = "trigger_message_extended"
    title, group = "Trigger a message (security extension)", "Security"
    message = forms.ChoiceField(choices=EXTENDED_MESSAGES)

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "is_extended": True}


@operation_form
class TransferDataForm(OperationForm):
    operation, title, group = TransferData, "Vendor message", "Any"
    vendor_id = forms.CharField(label="Vendor id", max_length=255)
    message_id = forms.CharField(label="Message id", max_length=50, required=False)
    text = forms.CharField(label="Data", required=False, strip=False, widget=forms.Textarea)

    def arguments(self) -> dict[str, Any]:
        return {"data" if name == "text" else name: value for name, value in super().arguments().items()}


class AnyJSONForm(OperationForm):
    """Any Action of the first protocol version with any payload; what breaks the schema is sent where staff insist."""

    operation, title, group, is_for_many = Operation, "Send any JSON", "Any", True
    explanation = (
        "For what no form here can say. What breaks OCPP's schema is refused unless you insist; that you did stands "
        "on the command for ever."
    )
    action = forms.CharField(label="Action", max_length=60)
    content = forms.CharField(label="Payload", initial="{}", strip=False, widget=forms.Textarea)
    insist = forms.BooleanField(label="Send it although it breaks the schema", required=False)

    def clean_content(self) -> dict[str, Any]:
        try:
            payload = json.loads(self.cleaned_data["content"])
        except (ValueError, RecursionError) as error:
            raise forms.ValidationError(f"That is not JSON: {error}") from None
        if not isinstance(payload, dict):
            raise forms.ValidationError("A payload is a JSON object: {…}")
        return payload

    def said(self) -> Operation | RawFrame:
        data = self.cleaned_data
        return read_frame(action=data["action"], payload=data["content"], allows_invalid=data["insist"])

    def request(self, *, station: Station, requested_by: str, now: Any) -> Command:
        return request_command(
            station_id=station.pk,
            operation=self.said(),
            origin=self.origin(requested_by, now),
            allows_invalid=self.cleaned_data["insist"],
        )
