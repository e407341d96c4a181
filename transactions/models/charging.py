"""Smart charging: the profiles that stations were given, and the schedules that result from them."""

from django.db import models

from stations.models import Command, Station
from transactions.models.transactions import Transaction


class ProfilePurpose(models.TextChoices):
    """OCPP 1.6 §7.11, wire words."""

    CHARGE_POINT_MAX = "ChargePointMaxProfile"
    TX_DEFAULT = "TxDefaultProfile"
    TX = "TxProfile"


class ProfileKind(models.TextChoices):
    """OCPP 1.6 §7.10, wire words."""

    ABSOLUTE = "Absolute"
    RECURRING = "Recurring"
    RELATIVE = "Relative"


class RecurrencyKind(models.TextChoices):
    """OCPP 1.6 §7.35, wire words."""

    DAILY = "Daily"
    WEEKLY = "Weekly"


class RateUnit(models.TextChoices):
    """OCPP 1.6 §7.12, wire words."""

    WATTS = "W", "W"
    AMPS = "A", "A"


class ProfileStatus(models.TextChoices):
    """How a profile stands, as far as its station told."""

    REQUESTED = "requested", "Requested"
    ACTIVE = "active", "Active"
    REFUSED = "refused", "Refused"
    REPLACED = "replaced", "Replaced"
    CLEARED = "cleared", "Cleared"
    ENDED = "ended", "Ended with its transaction"


class ChargingProfile(models.Model):
    """One charging profile a station was given (OCPP 1.6 §7.8); kept for ever."""

    charging_profile_id = models.PositiveIntegerField(
        db_default=models.Func(models.Value("transactions_charging_profile_id_seq"), function="nextval"),
        help_text="As the station knows it.",
    )
    station = models.ForeignKey(Station, models.PROTECT, related_name="charging_profiles")
    connector_id = models.PositiveIntegerField(help_text="0: the whole station.")
    transaction = models.ForeignKey(
        Transaction, models.PROTECT, null=True, blank=True, related_name="charging_profiles"
    )
    purpose = models.CharField(max_length=21, choices=ProfilePurpose)
    kind = models.CharField(max_length=9, choices=ProfileKind)
    recurrency_kind = models.CharField(max_length=6, choices=RecurrencyKind, blank=True)
    stack_level = models.PositiveIntegerField()
    valid_from = models.DateTimeField(null=True, blank=True)
    valid_to = models.DateTimeField(null=True, blank=True)
    rate_unit = models.CharField(max_length=1, choices=RateUnit)
    schedule = models.JSONField(help_text="OCPP's chargingSchedule, as sent.")
    status = models.CharField(max_length=9, choices=ProfileStatus, default=ProfileStatus.REQUESTED)
    result_status = models.CharField(max_length=100, blank=True, help_text="The station's own word.")
    command = models.ForeignKey(Command, models.PROTECT, related_name="+", help_text="What set it.")
    cleared_by_command = models.ForeignKey(Command, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["station", "status"], name="transactions_profile_station"),
            models.Index(fields=["command"], name="transactions_profile_command"),
            models.Index(
                fields=["transaction"], condition=models.Q(status="active"), name="transactions_profile_of_tx"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.purpose} {self.charging_profile_id}"


class CompositeSchedule(models.Model):
    """The limits that a station said result from all its profiles (OCPP 1.6 §5.7), as of one answer; kept for ever."""

    station = models.ForeignKey(Station, models.CASCADE, related_name="composite_schedules")
    connector_id = models.PositiveIntegerField()
    command = models.OneToOneField(Command, models.CASCADE, related_name="composite_schedule")
    starts_at = models.DateTimeField(null=True)
    schedule = models.JSONField(help_text="OCPP's chargingSchedule, as received.")
    received_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["station", "-received_at"], name="transactions_composite_latest")]

    def __str__(self) -> str:
        return f"{self.station_id}/{self.connector_id} {self.received_at:%Y-%m-%d %H:%M:%S}"
