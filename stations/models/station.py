"""Stations: who they are, how they are talked to, and which connection owns each."""

from collections.abc import Iterable
from typing import Self
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Lower


class RegistrationStatus(models.TextChoices):
    """OCPP 1.6 §7.48: whether the central system takes this station's messages."""

    ACCEPTED = "Accepted"
    PENDING = "Pending"
    REJECTED = "Rejected"


class IdTagTransform(models.TextChoices):
    """How a station decorates the tags it reads, undone before anything looks at them."""

    NONE = "", "As reported"
    STRIP_SERIAL_SUFFIX = "strip_serial_suffix", "Strip a _serial suffix (KEBA)"
    FIRST_OF_LIST = "first_of_list", "First of a ; list (payment terminals)"


def validate_time_zone(value: str) -> None:
    """Accept IANA names only.

    :raises ValidationError: for anything else.
    """
    if value not in available_timezones():
        raise ValidationError("%(value)s is not an IANA time zone name", params={"value": value})


class StationQuerySet(models.QuerySet["Station"]):
    def accepted(self) -> Self:
        return self.filter(registration_status=RegistrationStatus.ACCEPTED)

    def with_identity(self, identity: str) -> Self:
        """The station of this identity; chargers are inconsistent about its case."""
        return self.with_identities([identity])

    def with_identities(self, identities: Iterable[str]) -> Self:
        """The stations of these identities, whatever their case."""
        folded = [identity.lower() for identity in identities]
        return self.alias(identity_folded=Lower("identity")).filter(identity_folded__in=folded)


class Station(models.Model):
    """One charge point in the field, known by the identity in its URL; kept for ever once it has history."""

    identity = models.CharField(max_length=255, help_text="The last part of the charger's URL.")
    name = models.CharField(max_length=200, blank=True)
    registration_status = models.CharField(
        max_length=8, choices=RegistrationStatus, default=RegistrationStatus.PENDING, db_index=True
    )
    first_accepted_at = models.DateTimeField(
        null=True, editable=False, help_text="Transaction messages are stored from then on, whatever the status later."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    password_hash = models.CharField(max_length=200, blank=True, editable=False)
    allow_any_username = models.BooleanField(
        default=False, help_text="Take any Basic user name with a right password."
    )
    assumed_version = models.CharField(
        max_length=20,
        blank=True,
        db_default="",
        help_text="The protocol version of a connection without a valid Sec-WebSocket-Protocol. Blank: refused.",
    )
    version = models.CharField(
        max_length=20,
        blank=True,
        db_default="",
        editable=False,
        help_text="The protocol version of its latest connection.",
    )
    time_zone = models.CharField(
        max_length=64, default="UTC", validators=[validate_time_zone], help_text="For timestamps without an offset."
    )
    id_tag_transform = models.CharField(max_length=32, blank=True, default="", choices=IdTagTransform)
    heartbeat_interval_s = models.PositiveIntegerField(null=True, blank=True, help_text="Blank: the system's default.")
    ping_interval_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="WebSocket pings. Blank: the system's default; 0: none."
    )
    idle_limit_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="Close after this silence. Blank: the system's default; 0: never."
    )
    response_delay_ms = models.PositiveIntegerField(
        default=0, help_text="Wait before answering StartTransaction (some units break on a fast answer)."
    )

    call_timeout_s = models.FloatField(
        null=True, blank=True, help_text="How long a command waits for the answer. Blank: the system's default."
    )
    reads_configuration_by_key = models.BooleanField(
        "read configuration key by key",
        default=False,
        help_text="Some units restart when asked for all keys at once (ABB).",
    )
    configuration_requested_at = models.DateTimeField(
        null=True, editable=False, help_text="When its configuration was asked for; null: due at the next contact."
    )
    boot_triggered_at = models.DateTimeField(
        null=True, editable=False, help_text="When it was asked for the BootNotification that it never sent."
    )

    vendor = models.CharField(max_length=255, blank=True, editable=False)
    model = models.CharField(max_length=255, blank=True, editable=False)
    charge_point_serial_number = models.CharField(max_length=255, blank=True, editable=False)
    charge_box_serial_number = models.CharField(max_length=255, blank=True, editable=False)
    firmware_version = models.CharField(max_length=255, blank=True, editable=False)
    iccid = models.CharField("ICCID", max_length=255, blank=True, editable=False)
    imsi = models.CharField("IMSI", max_length=255, blank=True, editable=False)
    meter_type = models.CharField(max_length=255, blank=True, editable=False)
    meter_serial_number = models.CharField(max_length=255, blank=True, editable=False)

    last_boot_at = models.DateTimeField(null=True, editable=False)
    last_seen_at = models.DateTimeField(
        null=True, editable=False, help_text="Of any frame; written every few seconds."
    )
    clock_drift_s = models.FloatField(
        null=True, editable=False, help_text="The charger's clock minus ours, as of its latest live message."
    )
    connection_epoch = models.BigIntegerField(
        default=0, editable=False, help_text="Which connection owns the station: each new one raises it."
    )
    connected_at = models.DateTimeField(null=True, editable=False)
    disconnected_at = models.DateTimeField(null=True, editable=False)
    gateway_channel = models.CharField(
        max_length=100,
        blank=True,
        editable=False,
        help_text="Channel-layer name of the process that holds the socket.",
    )
    remote_address = models.CharField(max_length=64, blank=True, editable=False)

    objects = StationQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("identity"), name="stations_station_identity_unique")]
        # None on last_seen_at, which is written every few seconds: the row alone is written then, and no index.
        indexes = [
            models.Index(
                fields=["gateway_channel"],
                condition=models.Q(configuration_requested_at=None, disconnected_at=None),
                name="stations_station_unread",
            ),
        ]

    def __str__(self) -> str:
        return self.identity

    @property
    def is_online(self) -> bool:
        """Whether a connection owns the station as PostgreSQL knows it; presence leases are fresher."""
        return self.connected_at is not None and self.disconnected_at is None

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @property
    def has_password(self) -> bool:
        return bool(self.password_hash)

    @property
    def was_ever_accepted(self) -> bool:
        return self.first_accepted_at is not None
