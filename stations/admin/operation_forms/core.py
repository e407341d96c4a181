"""Operations of the Core profile and TriggerMessage that are the station's own matter."""

import json
from typing import Any

from django import forms

from stations.admin.operation_forms.base import OperationForm, choices, operation_form
from stations.models import Command, Station
from stations.services.commands import request_command
from stations.services.configuration import request_configuration

MESSAGES = (
    "BootNotification", "Heartbeat", "StatusNotification", "MeterValues", "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
)  # fmt: skip
EXTENDED_MESSAGES = (
    "BootNotification", "Heartbeat", "StatusNotification", "MeterValues", "LogStatusNotification",
    "FirmwareStatusNotification", "SignChargePointCertificate",
)  # fmt: skip


@operation_form
class ResetForm(OperationForm):
    action, title, is_dangerous = "Reset", "Reset", True
    explanation = "Soft lets it stop transactions in order; Hard is like a power cut. It is done when it is back."
    type = forms.ChoiceField(choices=choices("Soft", "Hard"))


@operation_form
class ClearCacheForm(OperationForm):
    action, title = "ClearCache", "Clear the cache of tags"


@operation_form
class GetConfigurationForm(OperationForm):
    action, title, group = "GetConfiguration", "Read configuration", "Configuration"
    explanation = "What is read stands on the station's page."
    key = forms.CharField(
        label="Keys", required=False, help_text="Separated by commas. Blank: all that the station has."
    )

    def payload(self) -> dict[str, Any]:
        keys = self._keys()
        return {"key": keys} if keys else {}

    def request(self, *, station: Station, requested_by: str, now: Any) -> Command:
        """Ask in as many CALLs as the station needs; return the last, whose answer completes the picture."""
        if self.cleaned_data["waits_s"]:
            return super().request(station=station, requested_by=requested_by, now=now)
        sent = request_configuration(
            station_id=station.pk,
            keys=self._keys(),
            requested_by=requested_by,
            via="admin",
            now=now,
            reason=self.cleaned_data["reason"],
        )
        return sent[-1]

    def _keys(self) -> list[str]:
        return [key.strip() for key in self.cleaned_data["key"].split(",") if key.strip()]


@operation_form
class ChangeConfigurationForm(OperationForm):
    action, title, group = "ChangeConfiguration", "Change configuration", "Configuration"
    explanation = "It is read again after the answer. A new AuthorizationKey serves from the station's Accepted on."
    key = forms.CharField(max_length=50, help_text="A key's name, as HeartbeatInterval.")
    value = forms.CharField(max_length=500, required=False, strip=False)

    def payload(self) -> dict[str, Any]:
        return {"key": self.cleaned_data["key"], "value": self.cleaned_data["value"]}


@operation_form
class TriggerMessageForm(OperationForm):
    action, title = "TriggerMessage", "Trigger a message"
    requestedMessage = forms.ChoiceField(label="Message", choices=choices(*MESSAGES))  # noqa: N815 - OCPP's name
    connectorId = forms.IntegerField(  # noqa: N815
        label="Connector", required=False, min_value=1, help_text="Blank: every connector."
    )


@operation_form
class ExtendedTriggerMessageForm(OperationForm):
    action, title, group = "ExtendedTriggerMessage", "Trigger a message (security extension)", "Security"
    requestedMessage = forms.ChoiceField(label="Message", choices=choices(*EXTENDED_MESSAGES))  # noqa: N815
    connectorId = forms.IntegerField(  # noqa: N815
        label="Connector", required=False, min_value=1, help_text="Blank: every connector."
    )


@operation_form
class DataTransferForm(OperationForm):
    action, title, group = "DataTransfer", "Vendor message", "Any"
    vendorId = forms.CharField(label="Vendor id", max_length=255)  # noqa: N815
    messageId = forms.CharField(label="Message id", max_length=50, required=False)  # noqa: N815
    text = forms.CharField(label="Data", required=False, strip=False, widget=forms.Textarea)

    def payload(self) -> dict[str, Any]:
        payload = super().payload()
        return {"data" if name == "text" else name: value for name, value in payload.items()}


class AnyJSONForm(OperationForm):
    """Any Action with any payload; what breaks OCPP's schema is sent only where staff insist."""

    action, title, group, is_for_many = "", "Send any JSON", "Any", True
    explanation = (
        "For what no form here can say. What breaks OCPP's schema is refused unless you insist; that you did stands "
        "on the command for ever."
    )
    name = forms.CharField(label="Action", max_length=60)
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

    def payload(self) -> dict[str, Any]:
        payload: dict[str, Any] = self.cleaned_data["content"]
        return payload

    def request(self, *, station: Station, requested_by: str, now: Any) -> Command:
        return request_command(
            station_id=station.pk,
            action=self.cleaned_data["name"],
            payload=self.payload(),
            requested_by=requested_by,
            via="admin",
            now=now,
            reason=self.cleaned_data["reason"],
            waits_s=self.cleaned_data["waits_s"],
            allows_invalid=self.cleaned_data["insist"],
        )
