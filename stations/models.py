"""Stations and what they tell about themselves: boots, notices, certificate requests, deviations, refusals."""

from datetime import datetime, timedelta
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
        return self.alias(identity_folded=Lower("identity")).filter(identity_folded=identity.lower())


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
    assume_ocpp16 = models.BooleanField(
        "assume OCPP 1.6", default=False, help_text="Accept the connection without a valid Sec-WebSocket-Protocol."
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
        indexes = [models.Index(fields=["last_seen_at"], name="stations_station_last_seen")]

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


class Boot(models.Model):
    """One BootNotification as received: which hardware and firmware came up when, and what we answered."""

    station = models.ForeignKey(Station, models.CASCADE, related_name="boots")
    received_at = models.DateTimeField()
    answered_status = models.CharField(max_length=8, choices=RegistrationStatus)
    vendor = models.CharField(max_length=255, blank=True)
    model = models.CharField(max_length=255, blank=True)
    firmware_version = models.CharField(max_length=255, blank=True)
    payload = models.JSONField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "received_at"], name="stations_boot_station_received_unique")
        ]

    def __str__(self) -> str:
        return f"{self.station_id} booted {self.received_at:%Y-%m-%d %H:%M:%S}"


class NoticeKind(models.TextChoices):
    """Which message a notice came in."""

    DIAGNOSTICS = "DiagnosticsStatusNotification", "Diagnostics"
    FIRMWARE = "FirmwareStatusNotification", "Firmware"
    SIGNED_FIRMWARE = "SignedFirmwareStatusNotification", "Signed firmware"
    LOG = "LogStatusNotification", "Log upload"
    SECURITY_EVENT = "SecurityEventNotification", "Security event"
    DATA_TRANSFER = "DataTransfer", "Data transfer"


class Notice(models.Model):
    """One progress, security or vendor message of a station that changes no charging state; kept for staff to read."""

    station = models.ForeignKey(Station, models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=40, choices=NoticeKind)
    status = models.CharField(max_length=100, blank=True, help_text="The station's word: Downloading, Uploaded, …")
    request_id = models.BigIntegerField(null=True, help_text="Of GetLog or SignedUpdateFirmware, where reported.")
    detail = models.TextField(blank=True, help_text="Tech info, or vendor id and message id with the data.")
    payload = models.JSONField()
    reported_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    digest = models.UUIDField(editable=False, help_text="Of message id and payload: a retried store finds its row.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "received_at", "digest"], name="stations_notice_unique")
        ]
        indexes = [models.Index(fields=["station", "kind", "-received_at"], name="stations_notice_latest")]

    def __str__(self) -> str:
        return f"{self.station_id} {self.kind} {self.received_at:%Y-%m-%d %H:%M:%S}"


class CertificateRequest(models.Model):
    """One certificate signing request a station sent (SignCertificate), waiting for a signer."""

    station = models.ForeignKey(Station, models.CASCADE, related_name="certificate_requests")
    csr = models.TextField("certificate signing request")
    received_at = models.DateTimeField()
    digest = models.UUIDField(editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "digest"], name="stations_certificaterequest_unique")
        ]

    def __str__(self) -> str:
        return f"{self.station_id} CSR {self.received_at:%Y-%m-%d %H:%M:%S}"


class Deviation(models.Model):
    """One way in which a station's messages break the specification, counted; expires when unseen for long."""

    station = models.ForeignKey(Station, models.CASCADE, related_name="deviations")
    firmware_version = models.CharField(max_length=255, blank=True)
    action = models.CharField(max_length=60)
    field = models.CharField(max_length=200, blank=True)
    rule = models.CharField(max_length=60)
    sample = models.CharField(max_length=200, blank=True, help_text="The raw text, as last seen.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station", "firmware_version", "action", "field", "rule"], name="stations_deviation_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.station_id} {self.action} {self.field} {self.rule}"


class RefusalReason(models.TextChoices):
    """Why a connection was refused."""

    UNKNOWN_IDENTITY = "unknown_identity", "Unknown identity"
    BAD_IDENTITY = "bad_identity", "Unreadable identity"
    NO_CREDENTIALS = "no_credentials", "No credentials"
    BAD_CREDENTIALS = "bad_credentials", "Malformed credentials"
    WRONG_PASSWORD = "wrong_password", "Wrong password"
    WRONG_USERNAME = "wrong_username", "Wrong user name"
    NO_SUBPROTOCOL = "no_subprotocol", "No common subprotocol"
    ENROLMENT_FULL = "enrolment_full", "Too many pending stations"


class RefusedConnection(models.Model):
    """Connection attempts that were refused, one row per identity and reason; expires when unseen for long."""

    identity = models.CharField(max_length=255, help_text="As in the URL, cut.")
    reason = models.CharField(max_length=20, choices=RefusalReason)
    remote_address = models.CharField(max_length=64, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(db_index=True)
    count = models.BigIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["identity", "reason"], name="stations_refusedconnection_unique")
        ]

    def __str__(self) -> str:
        return f"{self.identity} ({self.reason})"


def stale_before(now: datetime, days: int) -> datetime:
    """The instant before which a stranger's row is forgotten."""
    return now - timedelta(days=days)
