"""Operations that make a station fetch or upload a file: firmware, diagnostics, logs."""

from typing import Any

from django import forms
from django.core.validators import URLValidator
from django.utils import timezone

from stations.admin.operation_forms.base import OperationForm, operation_form, request_id
from stations.file_operations import UpdateFirmware, UpdateSignedFirmware, UploadDiagnostics, UploadLog

SCHEMES = ["http", "https", "ftp", "ftps", "sftp"]


class LocationField(forms.URLField):
    """Where the station fetches or uploads; it may be in a network of its own, so only the form is checked."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(assume_scheme="https", max_length=512, help_text="http, https, ftp or sftp", **kwargs)
        self.validators = [URLValidator(schemes=SCHEMES)]


@operation_form
class UploadDiagnosticsForm(OperationForm):
    operation, title, group = UploadDiagnostics, "Get diagnostics", "Firmware and logs"
    explanation = "Its progress stands on the command."
    location = LocationField(label="Upload to")
    since = forms.DateTimeField(label="From", required=False)
    until = forms.DateTimeField(label="To", required=False)
    retries = forms.IntegerField(required=False, min_value=0)
    retry_after_s = forms.IntegerField(label="Retry after (s)", required=False, min_value=0)


@operation_form
class UpdateFirmwareForm(OperationForm):
    operation, title, group, is_dangerous = UpdateFirmware, "Update firmware", "Firmware and logs", True
    explanation = "The station may restart. Its progress stands on the command; its configuration is read anew after."
    location = LocationField(label="Fetch from")
    fetch_at = forms.DateTimeField(label="Fetch at", initial=timezone.now)
    retries = forms.IntegerField(required=False, min_value=0)
    retry_after_s = forms.IntegerField(label="Retry after (s)", required=False, min_value=0)


@operation_form
class UploadLogForm(OperationForm):
    operation, title, group = UploadLog, "Get a log (security extension)", "Firmware and logs"
    log = forms.ChoiceField(label="Log", choices=[("diagnostics", "DiagnosticsLog"), ("security", "SecurityLog")])
    location = LocationField(label="Upload to")
    since = forms.DateTimeField(label="From", required=False)
    until = forms.DateTimeField(label="To", required=False)

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "request_id": request_id()}


@operation_form
class UpdateSignedFirmwareForm(OperationForm):
    operation, title, is_dangerous = UpdateSignedFirmware, "Update signed firmware (security extension)", True
    group = "Firmware and logs"
    explanation = "The station checks the signature before it installs, and may restart."
    location = LocationField(label="Fetch from")
    fetch_at = forms.DateTimeField(label="Fetch at", initial=timezone.now)
    install_at = forms.DateTimeField(label="Install at", required=False)
    signing_certificate = forms.CharField(label="Signing certificate (PEM)", max_length=5500, widget=forms.Textarea)
    signature = forms.CharField(label="Signature (Base64)", max_length=800)

    def arguments(self) -> dict[str, Any]:
        return {**super().arguments(), "request_id": request_id()}
