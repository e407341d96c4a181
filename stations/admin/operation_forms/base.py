"""Forms that become commands: one per operation, each registered by the app whose matter it is."""

from datetime import UTC, datetime
from typing import Any, ClassVar

from django import forms
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from stations.models import Command, CommandVia, Station
from stations.operations import OPERATIONS
from stations.services.commands import request_command

WAITS = [
    ("0", "Fail at once if the station is not connected"),
    ("3600", "Wait an hour for it"),
    ("86400", "Wait a day for it"),
    ("604800", "Wait a week for it"),
]


class InstantInput(UnfoldAdminTextInputWidget):
    """The browser's own date and time, to the minute, UTC."""

    input_type = "datetime-local"

    def format_value(self, value: Any) -> str | None:
        return f"{value:%Y-%m-%dT%H:%M}" if isinstance(value, datetime) else super().format_value(value)


class OperationForm(forms.Form):
    """Asks for what one operation needs. Fields named as in OCPP become the payload as they are."""

    action: ClassVar[str]
    title: ClassVar[str]
    group: ClassVar[str] = "Station"
    explanation: ClassVar[str] = ""
    is_dangerous: ClassVar[bool] = False
    is_for_many: ClassVar[bool] = True

    def __init__(self, *args: Any, station: Station | None = None, **kwargs: Any) -> None:
        self.station = station
        super().__init__(*args, **kwargs)
        self.fields["waits_s"] = forms.TypedChoiceField(label="If it is offline", choices=WAITS, coerce=int)
        self.fields["reason"] = forms.CharField(
            required=False, max_length=500, help_text="Kept with the command, for whoever asks later."
        )
        for field in self.fields.values():
            _dress(field)

    @classmethod
    def purpose(cls) -> str:
        """Return what the operation does, in a sentence or two."""
        operation = OPERATIONS.get(cls.action)
        purpose = "" if operation is None else operation.purpose
        return f"{purpose} {cls.explanation}".strip()

    def payload(self) -> dict[str, Any]:
        """Return OCPP's payload: the fields of OCPP's names that were filled in."""
        known = {name: value for name, value in self.cleaned_data.items() if name not in ("waits_s", "reason")}
        return {name: wire(value) for name, value in known.items() if value not in (None, "")}

    def request(self, *, station: Station, requested_by: str, now: datetime) -> Command:
        """Request the command; upper apps call their own service here.

        :raises CommandRefused:
        """
        return request_command(
            station_id=station.pk,
            action=self.action,
            payload=self.payload(),
            requested_by=requested_by,
            via=CommandVia.ADMIN,
            now=now,
            reason=self.cleaned_data["reason"],
            waits_s=self.cleaned_data["waits_s"],
        )


OPERATION_FORMS: dict[str, type[OperationForm]] = {}


def operation_form(form: type[OperationForm]) -> type[OperationForm]:
    """Offer an operation in the back office (a decorator)."""
    OPERATION_FORMS[form.action] = form
    return form


def wire(value: Any) -> Any:
    """Return a value as JSON has it: times as OCPP's UTC text."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def choices(*words: str) -> list[tuple[str, str]]:
    """Return wire words as choices."""
    return [(word, word) for word in words]


def request_id() -> int:
    """Return a number for requests that the station tells about later (GetLog, SignedUpdateFirmware)."""
    return int(datetime.now(UTC).timestamp() * 10) % 2**31


def _dress(field: forms.Field) -> None:
    """Give a field unfold's look."""
    widget: forms.Widget
    if isinstance(field, forms.BooleanField):
        widget = UnfoldBooleanWidget()
    elif isinstance(field, forms.DateTimeField):
        widget = InstantInput()
        field.help_text = field.help_text or "UTC"
    elif isinstance(field, forms.ModelChoiceField | forms.ChoiceField):
        if type(field.widget) is not forms.Select:
            return
        widget = UnfoldAdminSelectWidget()
        widget.choices = field.choices  # type: ignore[attr-defined]
    elif isinstance(field, forms.IntegerField):
        widget = UnfoldAdminIntegerFieldWidget(attrs=field.widget.attrs)
    elif isinstance(field.widget, forms.Textarea):
        widget = UnfoldAdminTextareaWidget({"rows": 6})
    elif type(field.widget) in (forms.TextInput, forms.URLInput):
        widget = UnfoldAdminTextInputWidget()
    else:
        return
    widget.is_required = field.required
    field.widget = widget
