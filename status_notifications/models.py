"""Status history: every status a connector ever reported (a hypertable)."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from timescale.db.models.fields import TimescaleDateTimeField

from stations.models import Station


class StatusCode(models.IntegerChoices):
    """ChargePointStatus (OCPP 1.6 §7.7) in one small integer; its label is the word. OTHER: the row has the word."""

    OTHER = 0, ""
    AVAILABLE = 1, "Available"
    PREPARING = 2, "Preparing"
    CHARGING = 3, "Charging"
    SUSPENDED_EVSE = 4, "SuspendedEVSE"
    SUSPENDED_EV = 5, "SuspendedEV"
    FINISHING = 6, "Finishing"
    RESERVED = 7, "Reserved"
    UNAVAILABLE = 8, "Unavailable"
    FAULTED = 9, "Faulted"


class StatusNotification(models.Model):
    """One StatusNotification of one connector; kept until its retention ends.

    `id` is unique by its sequence but carries no index: look rows up by station and time. The identity of a status is
    (station, connector_id, effective_at, status, error_code, vendor_error_code): the same one sent again is the same.
    """

    id = models.BigAutoField(primary_key=True)
    effective_at = TimescaleDateTimeField(interval="7 days")
    received_at = models.DateTimeField()
    reported_at = models.DateTimeField(null=True, help_text="Only where it differs from the effective time.")
    station = models.ForeignKey(
        Station, models.PROTECT, db_constraint=False, db_index=False, related_name="status_notifications"
    )
    connector_id = models.IntegerField(help_text="0 is the station itself.")
    status = models.SmallIntegerField(choices=StatusCode)
    other_status = models.TextField(
        default="", db_default="", blank=True, help_text="The station's own word where the status has no code."
    )
    error_code = models.TextField(default="NoError")
    info = models.TextField(default="", blank=True)
    vendor_id = models.TextField(default="", blank=True)
    vendor_error_code = models.TextField(default="", blank=True)

    class Meta:
        db_table = "status_notifications"
        constraints = [
            models.UniqueConstraint(
                fields=["station", "connector_id", "effective_at", "status", "error_code", "vendor_error_code"],
                name="status_notifications_unique",
            )
        ]
        indexes = [BrinIndex(fields=["effective_at"], name="status_notifications_by_time", pages_per_range=32)]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.connector_id} {self.word} {self.effective_at:%Y-%m-%d %H:%M:%S}"

    @property
    def word(self) -> str:
        """Return the status in the station's word."""
        return self.other_status or StatusCode(self.status).label
