"""Connectors: the latest status of each, and of the station itself as connector 0."""

from django.db import models

from evcharging.db.watt_hours import WattHoursField
from stations.models import Command, Station


class ConnectorStatus(models.TextChoices):
    """OCPP 1.6 §7.7 ChargePointStatus, wire words: those with a label. A station may report any other."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


class Availability(models.TextChoices):
    """OCPP 1.6 §7.4 AvailabilityType, wire words."""

    OPERATIVE = "Operative"
    INOPERATIVE = "Inoperative"


class Connector(models.Model):
    """One connector of a station, or the station's main controller (connector_id 0); created on sight.

    In OCPP 2.x it is one EVSE (ADR 18).
    """

    station = models.ForeignKey(Station, models.PROTECT, related_name="connectors")
    connector_id = models.PositiveIntegerField(help_text="0 is the station itself.")
    label = models.CharField(max_length=100, blank=True, help_text="What is printed on it.")
    status = models.CharField(max_length=50, blank=True, choices=ConnectorStatus, editable=False)
    error_code = models.CharField(max_length=50, blank=True, editable=False)
    info = models.TextField(blank=True, editable=False)
    vendor_id = models.CharField(max_length=255, blank=True, editable=False)
    vendor_error_code = models.CharField(max_length=255, blank=True, editable=False)
    status_at = models.DateTimeField(null=True, editable=False, help_text="Effective time of this status.")
    status_reported_at = models.DateTimeField(null=True, editable=False)
    status_received_at = models.DateTimeField(null=True, editable=False)
    wanted_availability = models.CharField(
        max_length=11, blank=True, choices=Availability, editable=False, help_text="As last accepted by the station."
    )
    availability_command = models.ForeignKey(
        Command,
        models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
        help_text="The ChangeAvailability that the status does not show yet.",
    )
    last_meter_stop_wh = WattHoursField(
        null=True, editable=False, help_text="Register at the end of the latest transaction, to spot gaps."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "connector_id"], name="connectors_connector_unique"),
        ]
        # None holds the status, so that a StatusNotification is a HOT update (ADR 14).
        indexes = [
            models.Index(
                fields=["station"],
                condition=models.Q(availability_command__isnull=False),
                name="connectors_connector_changing",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.connector_id}"

    @property
    def shows_wanted_availability(self) -> bool:
        """Tell whether the status is what a ChangeAvailability asked for; Faulted and unknown words do not tell."""
        if self.status == ConnectorStatus.FAULTED or self.status not in ConnectorStatus.values:
            return False
        return (self.status == ConnectorStatus.UNAVAILABLE) == (self.wanted_availability == Availability.INOPERATIVE)

    @property
    def is_station_itself(self) -> bool:
        return self.connector_id == 0

    @property
    def is_faulted(self) -> bool:
        return self.status == ConnectorStatus.FAULTED or self.error_code not in ("", "NoError")
