"""The form of a station in the back office."""

from zoneinfo import available_timezones

from django import forms
from unfold.widgets import UnfoldAdminSelect2Widget, UnfoldAdminSelectWidget

from stations.dialects import dialect_of, versions
from stations.models import Station


def time_zones() -> list[tuple[str, str]]:
    """Return the IANA time zones as choices, UTC first."""
    return [("UTC", "UTC"), *((name, name) for name in sorted(available_timezones() - {"UTC"}))]


class StationForm(forms.ModelForm):
    time_zone = forms.ChoiceField(
        choices=time_zones,
        initial="UTC",
        widget=UnfoldAdminSelect2Widget,
        help_text=Station._meta.get_field("time_zone").help_text,
    )

    assumed_version = forms.ChoiceField(
        label="Without a valid subprotocol",
        choices=lambda: [("", "Refuse"), *((name, f"Assume {dialect_of(name).title}") for name in versions())],
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=Station._meta.get_field("assumed_version").help_text,
    )

    class Meta:
        model = Station
        fields = (
            "identity", "name", "registration_status", "time_zone", "id_tag_transform", "allow_any_username",
            "assumed_version", "heartbeat_interval_s", "ping_interval_s", "idle_limit_s", "response_delay_ms",
            "call_timeout_s", "reads_configuration_by_key",
        )  # fmt: skip

    def clean_identity(self) -> str:
        """Refuse unprintable characters, and an identity that differs from another only by case."""
        identity = str(self.cleaned_data["identity"])
        if not identity.isprintable():
            raise forms.ValidationError("An identity has printable characters only.")
        if Station.objects.with_identity(identity).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("There is a station with this identity already (its case does not matter).")
        return identity
