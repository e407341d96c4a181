"""Forms of remote starts and stops, reservations and charging profiles, offered on stations' pages."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.utils import timezone
from unfold.widgets import UnfoldAdminSelect2Widget

from id_tags.models import IdTag, IdTagStatus
from stations.admin.operation_forms import OperationForm, choices, operation_form
from stations.models import Command, CommandVia, Station
from transactions.models import (
    HELD,
    ProfileKind,
    ProfilePurpose,
    RateUnit,
    RecurrencyKind,
    Reservation,
    Transaction,
)
from transactions.services.charging_profiles import request_set_charging_profile
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
        field = self.fields["idTag"]
        assert isinstance(field, TagField)
        field.offer()


@operation_form
class RemoteStartForm(TaggedForm):
    action, title, group, is_for_many = "RemoteStartTransaction", "Start charging", "Charging", False
    explanation = "The command tells which transaction it led to, or that none followed."
    idTag = TagField()  # noqa: N815 - OCPP's name
    connectorId = forms.IntegerField(  # noqa: N815
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
            id_tag=data["idTag"],
            connector_id=data["connectorId"],
            charging_profile=None if data["limit"] is None else _constant_profile(float(data["limit"]), data["unit"]),
            requested_by=requested_by,
            via=CommandVia.ADMIN,
            now=now,
            reason=data["reason"],
            waits_s=data["waits_s"],
        )


@operation_form
class RemoteStopForm(OperationForm):
    action, title, group, is_for_many = "RemoteStopTransaction", "Stop charging", "Charging", False
    explanation = "It is done when the station reports the stop."
    transactionId = forms.ChoiceField(label="Transaction")  # noqa: N815

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Transaction.objects.awaiting_stop().filter(station=self.station).select_related("connector")
        names = {
            str(row.transaction_id): f"{row.transaction_id}: connector {row.connector.connector_id}, {row.id_tag}"
            for row in rows.order_by("-pk")[:100]
        }
        self.fields["transactionId"].choices = list(names.items())  # type: ignore[attr-defined]
        self.fields["transactionId"].widget.choices = list(names.items())  # type: ignore[attr-defined]

    def payload(self) -> dict[str, Any]:
        return {"transactionId": int(self.cleaned_data["transactionId"])}


@operation_form
class ReserveNowForm(TaggedForm):
    action, title, group, is_for_many = "ReserveNow", "Reserve", "Charging", False
    explanation = "Until it expires only this tag, or its group, may charge there."
    idTag = TagField()  # noqa: N815
    connectorId = forms.IntegerField(  # noqa: N815
        label="Connector", min_value=0, initial=1, help_text="0: any, where the station can do that."
    )
    expiryDate = forms.DateTimeField(label="Until", initial=lambda: timezone.now() + timedelta(hours=1))  # noqa: N815

    def request(self, *, station: Station, requested_by: str, now: datetime) -> Command:
        data = self.cleaned_data
        return request_reservation(
            station_id=station.pk,
            connector_id=data["connectorId"],
            id_tag=data["idTag"],
            expires_at=data["expiryDate"],
            requested_by=requested_by,
            via=CommandVia.ADMIN,
            now=now,
            reason=data["reason"],
            waits_s=data["waits_s"],
        )


@operation_form
class CancelReservationForm(OperationForm):
    action, title, group, is_for_many = "CancelReservation", "Cancel a reservation", "Charging", False
    reservationId = forms.ChoiceField(label="Reservation")  # noqa: N815

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = Reservation.objects.filter(station=self.station, status__in=HELD).order_by("-pk")[:100]
        names = [
            (str(row.reservation_id), f"{row.reservation_id}: connector {row.connector_id}, {row.id_tag}")
            for row in rows
        ]
        self.fields["reservationId"].choices = names  # type: ignore[attr-defined]
        self.fields["reservationId"].widget.choices = names  # type: ignore[attr-defined]

    def payload(self) -> dict[str, Any]:
        return {"reservationId": int(self.cleaned_data["reservationId"])}


@operation_form
class SetChargingProfileForm(OperationForm):
    action, title, group, is_for_many = "SetChargingProfile", "Set a charging profile", "Charging", False
    explanation = "One limit, or several periods. It replaces the one of the same purpose, connector and stack level."
    connectorId = forms.IntegerField(label="Connector", min_value=0, initial=0)  # noqa: N815
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

    def clean_periods(self) -> list[dict[str, Any]]:
        periods = []
        for number, line in enumerate(self.cleaned_data["periods"].strip().splitlines(), 1):
            words = line.split()
            try:
                period: dict[str, Any] = {"startPeriod": int(words[0]), "limit": json.loads(words[1])}
                if len(words) > 2:
                    period["numberPhases"] = int(words[2])
            except (ValueError, IndexError):
                raise forms.ValidationError(f"Line {number}: not seconds and a limit.") from None
            periods.append(period)
        return periods

    def profile(self) -> dict[str, Any]:
        """Return OCPP's csChargingProfiles, without an id."""
        data = self.cleaned_data
        schedule = {
            "chargingRateUnit": data["unit"],
            "chargingSchedulePeriod": data["periods"],
            **({"duration": data["duration"]} if data["duration"] else {}),
        }
        if data["start_schedule"] is not None and data["kind"] != ProfileKind.RELATIVE:
            schedule["startSchedule"] = _text(data["start_schedule"])
        optional = {
            "recurrencyKind": data["recurrency"],
            "validFrom": data["valid_from"] and _text(data["valid_from"]),
            "validTo": data["valid_to"] and _text(data["valid_to"]),
        }
        return {
            "stackLevel": data["stack_level"],
            "chargingProfilePurpose": data["profile_purpose"],
            "chargingProfileKind": data["kind"],
            "chargingSchedule": schedule,
            **{name: value for name, value in optional.items() if value},
        }

    def request(self, *, station: Station, requested_by: str, now: datetime) -> Command:
        data = self.cleaned_data
        return request_set_charging_profile(
            station_id=station.pk,
            connector_id=data["connectorId"],
            profile=self.profile(),
            requested_by=requested_by,
            via=CommandVia.ADMIN,
            now=now,
            reason=data["reason"],
            waits_s=data["waits_s"],
        )


@operation_form
class ClearChargingProfileForm(OperationForm):
    action, title, group = "ClearChargingProfile", "Clear charging profiles", "Charging"
    explanation = "Those that all of what you fill in fits; with nothing filled in, all of them."
    id = forms.IntegerField(label="Profile id", required=False, min_value=0)
    connectorId = forms.IntegerField(label="Connector", required=False, min_value=0)  # noqa: N815
    chargingProfilePurpose = forms.ChoiceField(  # noqa: N815
        label="Purpose", choices=[("", "Any"), *ProfilePurpose.choices], required=False
    )
    stackLevel = forms.IntegerField(label="Stack level", required=False, min_value=0)  # noqa: N815


@operation_form
class GetCompositeScheduleForm(OperationForm):
    action, title, group = "GetCompositeSchedule", "Read the composite schedule", "Charging"
    explanation = "It stands on the station's page."
    connectorId = forms.IntegerField(label="Connector", min_value=0, initial=0)  # noqa: N815
    duration = forms.IntegerField(label="For the next (s)", min_value=1, initial=86_400)
    chargingRateUnit = forms.ChoiceField(  # noqa: N815
        label="Unit", choices=[("", "Any"), *RateUnit.choices], required=False
    )


def _constant_profile(limit: float, unit: str) -> dict[str, Any]:
    """Return a TxProfile with one limit, for a remote start."""
    return {
        "stackLevel": 0,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": {
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
        },
    }


def _text(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
