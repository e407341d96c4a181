"""Operations that make a station fetch or upload a file: firmware, diagnostics, logs."""

from typing import Any

from django import forms
from django.core.validators import URLValidator
from django.utils import timezone

from stations.admin.operation_forms.base import OperationForm, choices, operation_form, request_id, wire

SCHEMES = ["http", "https", "ftp", "ftps", "sftp"]


class LocationField(forms.URLField):
    """Where the station fetches or uploads; it may be in a network of its own, so only the form is checked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(assume_scheme="https", max_length=512, help_text="http, https, ftp or sftp", **kwargs)
        self.validators = [URLValidator(schemes=SCHEMES)]


@operation_form
class GetDiagnosticsForm(OperationForm):
    action, title, group = "GetDiagnostics", "Get diagnostics", "Firmware and logs"
    explanation = "Its progress stands on the command."
    location = LocationField(label="Upload to")
    startTime = forms.DateTimeField(label="From", required=False)  # noqa: N815 - OCPP's names
    stopTime = forms.DateTimeField(label="To", required=False)  # noqa: N815
    retries = forms.IntegerField(required=False, min_value=0)
    retryInterval = forms.IntegerField(label="Retry after (s)", required=False, min_value=0)  # noqa: N815


@operation_form
class UpdateFirmwareForm(OperationForm):
    action, title, group, is_dangerous = "UpdateFirmware", "Update firmware", "Firmware and logs", True
    explanation = "The station may restart. Its progress stands on the command; its configuration is read anew after."
    location = LocationField(label="Fetch from")
    retrieveDate = forms.DateTimeField(label="Fetch at", initial=timezone.now)  # noqa: N815
    retries = forms.IntegerField(required=False, min_value=0)
    retryInterval = forms.IntegerField(label="Retry after (s)", required=False, min_value=0)  # noqa: N815


@operation_form
class GetLogForm(OperationForm):
    action, title, group = "GetLog", "Get a log (security extension)", "Firmware and logs"
    logType = forms.ChoiceField(label="Log", choices=choices("DiagnosticsLog", "SecurityLog"))  # noqa: N815
    location = LocationField(label="Upload to")
    oldest = forms.DateTimeField(label="From", required=False)
    latest = forms.DateTimeField(label="To", required=False)

    def payload(self) -> dict[str, Any]:
        data = self.cleaned_data
        log: dict[str, Any] = {"remoteLocation": data["location"]}
        log |= {"oldestTimestamp": wire(data["oldest"])} if data["oldest"] else {}
        log |= {"latestTimestamp": wire(data["latest"])} if data["latest"] else {}
        return {"logType": data["logType"], "requestId": request_id(), "log": log}


@operation_form
class SignedUpdateFirmwareForm(OperationForm):
    action, title, is_dangerous = "SignedUpdateFirmware", "Update signed firmware (security extension)", True
    group = "Firmware and logs"
    explanation = "The station checks the signature before it installs, and may restart."
    location = LocationField(label="Fetch from")
    retrieveDateTime = forms.DateTimeField(label="Fetch at", initial=timezone.now)  # noqa: N815
    installDateTime = forms.DateTimeField(label="Install at", required=False)  # noqa: N815
    signingCertificate = forms.CharField(  # noqa: N815
        label="Signing certificate (PEM)", max_length=5500, widget=forms.Textarea
    )
    signature = forms.CharField(label="Signature (Base64)", max_length=800)

    def payload(self) -> dict[str, Any]:
        firmware = {
            name: wire(value)
            for name, value in self.cleaned_data.items()
            if name not in ("waits_s", "reason") and value not in (None, "")
        }
        return {"requestId": request_id(), "firmware": firmware}
