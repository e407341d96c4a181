"""Forms of remote starts and stops, reservations and charging profiles, offered on stations' pages."""

import json
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelect2Widget

from id_tags.models import IdTag, IdTagStatus
from stations.admin.operation_forms import OperationForm, choices, operation_form
from stations.admin.operation_forms.base import instant_text
from stations.models import Command, Station
from transactions.models import (
    HELD,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    RecurrencyKind,
    Reservation,
    Transaction,
)
from transactions.operations import (
    CancelReservation,
    ClearChargingProfiles,
    Period,
    ReadCompositeSchedule,
    Reserve,
    Schedule,
    SetChargingProfile,
    StartCharging,
    StopCharging,
)
from transactions.services.charging_profiles import ProfileDraft, request_set_charging_profile
from transactions.services.remote import request_remote_start
from transactions.services.reservations import request_reservation

MAX_TAGS = 500


class TagField(forms.CharField):
    """A tag by its text; the page offers those that may charge, while they are not too many."""

    def __init__(self) -> None:
        super().__init__(label="Id tag", max_length=20)

    def offer(self) -> None:
        """Turn into a choice where there are few enough."""
        tags = IdTag.objects.filter(status=IdTagStatus.ACCEPTED).order_by("id_tag_folded")
        names = list(tags.values_list("id_tag", flat=True)[: MAX_TAGS + 1])
        if 0 < len(names) <= MAX_TAGS:
            self.widget = UnfoldAdminSelect2Widget(choices=choices(*names))


class TaggedForm(OperationForm):
    """A form that names a tag."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["id_tag"]
        assert isinstance(field, TagField)
        field.offer()


@operation_form
class StartChargingForm(TaggedForm):
    operation, title, group, is_for_many = StartCharging, "Start charging", "Charging", False
    explanation = "The command tells which transaction it led to, or that none followed."
    id_tag = TagField()
    connector_id = forms.IntegerField(
        label="Connector", required=False, min_value=1, help_text="Blank: the station chooses. Some need one."
    )
    limit = forms.DecimalField(
        required=False, min_value=0, decimal_places=1, help_text="A limit for this transaction; it needs a connector."
    )
    unit = forms.ChoiceField(choices=RateUnit.choices, initial=RateUnit.AMPS, label="Unit of the limit")

    def request(self, *, station: Station, requested_by: str, now: datetime) -> Command:
        data = self.cleaned_data
        return request_remote_start(
            station_id=station.pk,
            id_tag=data["id_tag"],
            connector_id=data["connector_id"],
            profile=None if data["limit"] is None else _constant_profile(float(data["limit"]), data["unit"]),
            origin=self.origin(requested_by, now),
        )


@operation_form
class StopChargingForm(OperationForm):
    operation, title, group, is_for_many = StopCharging, "Stop charging", "Charging", False
    explanation = "It is done when the station reports the stop."
    transaction_ref = forms.ChoiceField(label="Transaction")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Transaction.objects.awaiting_stop().filter(station=self.station).select_related("connector")
        names = {
            row.ref: f"{row.transaction_id}: connector {row.connector.connector_id}, {row.id_tag}"
            for row in rows.order_by("-pk")[:100]
        }
        self.fields["transaction_ref"].choices = list(names.items())  # type: ignore[attr-defined]
        self.fields["transaction_ref"].widget.choices = list(names.items())  # type: ignore[attr-defined]


@operation_form
class ReserveForm(TaggedForm):
    operation, title, group, is_for_many = Reserve, "Reserve", "Charging", False
    explanation = "Until it expires only this tag, or its group, may charge there."
    id_tag = TagField()
    connector_id = forms.IntegerField(
        label="Connector", min_value=0, initial=1, help_text="0: any, where the station can do that."
    )
    expires_at = forms.DateTimeField(label="Until", initial=lambda: timezone.now() + timedelta(hours=1))

    def request(self, *, station: Station, requested_by: str, now: datetime) -> Command:
        data = self.cleaned_data
        return request_reservation(
            station_id=station.pk,
            connector_id=data["connector_id"],
            id_tag=data["id_tag"],
            expires_at=data["expires_at"],
            origin=self.origin(requested_by, now),
        )


@operation_form
class CancelReservationForm(OperationForm):
    operation, title, group, is_for_many = CancelReservation, "Cancel a reservation", "Charging", False
    reservation_id = forms.TypedChoiceField(label="Reservation", coerce=int)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Reservation.objects.filter(station=self.station, status__in=HELD).order_by("-pk")[:100]
        names = [
            (str(row.reservation_id), f"{row.reservation_id}: connector {row.connector_id}, {row.id_tag}")
            for row in rows
        ]
        self.fields["reservation_id"].choices = names  # type: ignore[attr-defined]
        self.fields["reservation_id"].widget.choices = names  # type: ignore[attr-defined]


@operation_form
class SetChargingProfileForm(OperationForm):
    operation, title, group, is_for_many = SetChargingProfile, "Set a charging profile", "Charging", False
    explanation = "One limit, or several periods. It replaces the one of the same purpose, connector and stack level."
    connector_id = forms.IntegerField(label="Connector", min_value=0, initial=0)
    profile_purpose = forms.ChoiceField(
        label="Purpose",
        choices=ProfilePurpose.choices,
        initial=ProfilePurpose.TX_DEFAULT,
        help_text="ChargePointMaxProfile: connector 0. TxProfile: the transaction that is open on the connector.",
    )
    kind = forms.ChoiceField(choices=ProfileKind.choices)
    recurrency = forms.ChoiceField(choices=[("", "None"), *RecurrencyKind.choices], required=False)
    stack_level = forms.IntegerField(min_value=0, initial=0, help_text="Of several, the highest is followed.")
    valid_from = forms.DateTimeField(required=False)
    valid_to = forms.DateTimeField(required=False)
    start_schedule = forms.DateTimeField(
        required=False, initial=timezone.now, help_text="UTC. For Absolute and Recurring; a Relative one has none."
    )
    duration = forms.IntegerField(label="Duration (s)", required=False, min_value=1)
    unit = forms.ChoiceField(choices=RateUnit.choices, initial=RateUnit.AMPS)
    periods = forms.CharField(
        widget=forms.Textarea,
        initial="0 16.0",
        help_text="One a line: seconds from the start, limit, and if you like the number of phases.",
    )

    def clean_periods(self) -> list[Period]:
        periods = []
        for number, line in enumerate(self.cleaned_data["periods"].strip().splitlines(), 1):
            words = line.split()
            try:
                phases = int(words[2]) if len(words) > 2 else None
                period = Period(starts_s=int(words[0]), limit=json.loads(words[1]), phases=phases)
            except (ValueError, IndexError):
                raise forms.ValidationError(f"Line {number}: not seconds and a limit.") from None
            periods.append(period)
        return periods

    def profile(self) -> ProfileDraft:
        """Return the profile, without an id."""
        data = self.cleaned_data
        is_relative = data["kind"] == ProfileKind.RELATIVE
        schedule = Schedule(
            unit=data["unit"],
            periods=data["periods"],
            duration_s=data["duration"] or None,
            starts_at=None if is_relative else instant_text(data["start_schedule"]),
        )
        return ProfileDraft(
            purpose=data["profile_purpose"],
            kind=data["kind"],
            stack_level=data["stack_level"],
            schedule=schedule,
            recurrency=data["recurrency"] or None,
            valid_from=instant_text(data["valid_from"]),
            valid_to=instant_text(data["valid_to"]),
        )

    def request(self, *, station: Station, requested_by: str, now: datetime) -> Command:
        data = self.cleaned_data
        return request_set_charging_profile(
            station_id=station.pk,
            connector_id=data["connector_id"],
            profile=self.profile(),
            origin=self.origin(requested_by, now),
        )


@operation_form
class ClearChargingProfilesForm(OperationForm):
    operation, title, group = ClearChargingProfiles, "Clear charging profiles", "Charging"
    explanation = "Those that all of what you fill in fits; with nothing filled in, all of them."
    profile_id = forms.IntegerField(label="Profile id", required=False, min_value=0)
    connector_id = forms.IntegerField(label="Connector", required=False, min_value=0)
    purpose_of_profile = forms.ChoiceField(
        label="Purpose", choices=[("", "Any"), *ProfilePurpose.choices], required=False
    )
    stack_level = forms.IntegerField(label="Stack level", required=False, min_value=0)


@operation_form
class ReadCompositeScheduleForm(OperationForm):
    operation, title, group = ReadCompositeSchedule, "Read the composite schedule", "Charging"
    explanation = "It stands on the station's page."
    connector_id = forms.IntegerField(label="Connector", min_value=0, initial=0)
    duration_s = forms.IntegerField(label="For the next (s)", min_value=1, initial=86_400)
    unit = forms.ChoiceField(label="Unit", choices=[("", "Any"), *RateUnit.choices], required=False)


def _constant_profile(limit: float, unit: str) -> ProfileDraft:
    """Return a TxProfile with one limit, for a remote start."""
    schedule = Schedule(unit=unit, periods=[Period(starts_s=0, limit=limit)])
    return ProfileDraft(ProfilePurpose.TX, ProfileKind.RELATIVE, 0, schedule)
