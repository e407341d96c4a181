"""What stations tell about themselves: boots, notices, certificate requests, deviations; and who was refused."""

from datetime import datetime, timedelta

from django.db import models

from stations.models.station import RegistrationStatus, Station


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
    """What a notice is about."""

    DIAGNOSTICS = "diagnostics", "Diagnostics"
    FIRMWARE = "firmware", "Firmware"
    SIGNED_FIRMWARE = "signed_firmware", "Signed firmware"
    LOG = "log", "Log upload"
    SECURITY_EVENT = "security_event", "Security event"
    DATA_TRANSFER = "data_transfer", "Data transfer"


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
    """Return the instant before which rows of refusals expire."""
    return now - timedelta(days=days)
