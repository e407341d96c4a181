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
from stations.operations import Operation, RawFrame, read_operation
from stations.services.commands import request_command
from stations.types import Origin

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
    """Asks for what one operation needs. Fields are named as its arguments."""

    operation: ClassVar[type[Operation]]
    name: ClassVar[str] = ""
    """In the address of its page; blank: the operation's."""
    title: ClassVar[str]
    group: ClassVar[str] = "Station"
    explanation: ClassVar[str] = ""
    is_dangerous: ClassVar[bool] = False
    is_for_many: ClassVar[bool] = True
    """Whether its own fields say it all, so that it can be sent to many stations."""

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
        return f"{cls.operation.purpose} {cls.explanation}".strip()

    def arguments(self) -> dict[str, Any]:
        """Return the arguments: the fields that were filled in."""
        known = {name: value for name, value in self.cleaned_data.items() if name not in ("waits_s", "reason")}
        return {name: instant_text(value) for name, value in known.items() if value not in (None, "")}

    def said(self) -> Operation | RawFrame:
        """Return the operation with its arguments.

        :raises CommandRefused: it cannot be said.
        """
        return read_operation(self.operation.name, self.arguments())

    def origin(self, requested_by: str, now: datetime) -> Origin:
        """Return who asks, as the form was filled in."""
        return Origin(requested_by, CommandVia.ADMIN, now, self.cleaned_data["reason"], self.cleaned_data["waits_s"])

    def request(self, *, station: Station, requested_by: str, now: datetime) -> Command:
        """Request the command; apps whose service does more call it here.

        :raises CommandRefused:
        """
        origin = self.origin(requested_by, now)
        return request_command(station_id=station.pk, operation=self.said(), origin=origin)


OPERATION_FORMS: dict[str, type[OperationForm]] = {}


def operation_form(form: type[OperationForm]) -> type[OperationForm]:
    """Offer an operation in the back office (a decorator)."""
    OPERATION_FORMS[form.name or form.operation.name] = form
    return form


def instant_text(value: Any) -> Any:
    """Return a value as JSON has it: times as UTC text."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value


def choices(*words: str) -> list[tuple[str, str]]:
    """Return words that are shown as they are as choices."""
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
