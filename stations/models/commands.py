"""What stations are told to do: each command a row, and jobs that command many stations."""

import uuid
from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from stations.models.station import Station
from stations.operations import BadArguments, Operation, read_operation

NOTHING = models.Value({}, models.JSONField())


class CommandVia(models.TextChoices):
    """Which interface a command came through."""

    ADMIN = "admin", "Back office"
    API = "api", "API"
    SHELL = "shell", "Shell"
    SYSTEM = "system", "System"


class CommandStatus(models.TextChoices):
    """How far a command is; a station has at most one that is sent."""

    QUEUED = "queued", "Queued"
    SENT = "sent", "Sent"
    ANSWERED = "answered", "Answered"
    CALL_ERROR = "call_error", "Error"
    TIMED_OUT = "timed_out", "Timed out"
    EXPIRED = "expired", "Expired"
    CANCELLED = "cancelled", "Cancelled"
    NOT_CONNECTED = "not_connected", "Not connected"


UNFINISHED = (CommandStatus.QUEUED, CommandStatus.SENT)


class ExpectedEffect(models.TextChoices):
    """What an accepted command is to lead to: the station back after a reset, a transaction after a remote start …"""

    NONE = "", "Nothing"
    WAITING = "waiting", "Waiting"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"


class CommandBatch(models.Model):
    """One action over many stations, carried on at a chosen pace by whichever process comes first; kept for ever."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    operation = models.CharField(
        max_length=40, blank=True, db_default="", help_text="Blank: an Action that no operation says."
    )
    arguments = models.JSONField(
        default=dict, db_default=NOTHING, help_text="Of the operation, in words of the domain, but for secrets."
    )
    raw_version = models.CharField(
        max_length=20,
        blank=True,
        db_default="",
        help_text="The frame is sent as it is written, for this protocol version.",
    )
    action = models.CharField(max_length=60, help_text="As the first protocol version says it, or as it is written.")
    payload = models.JSONField(default=dict, help_text="But for secrets.")
    sealed = models.BinaryField(null=True, editable=False, help_text="A secret of the payload, encrypted.")
    selection = models.CharField(max_length=500, blank=True, help_text="How the stations were chosen, in words.")
    requested_by = models.CharField(max_length=150)
    via = models.CharField(max_length=10, choices=CommandVia)
    reason = models.CharField(max_length=500, blank=True)
    stations_per_second = models.FloatField(default=20, help_text="How many stations are commanded per second.")
    waits_s = models.PositiveIntegerField(
        default=0, help_text="How long a command may wait for its station to connect, s; 0: not at all."
    )
    allows_invalid = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    advanced_at = models.DateTimeField(null=True, editable=False, help_text="When stations were last commanded.")
    stopped_at = models.DateTimeField(null=True, editable=False)
    stopped_by = models.CharField(max_length=150, blank=True, editable=False)
    ended_at = models.DateTimeField(null=True, editable=False, help_text="When every station had its result.")

    class Meta:
        verbose_name_plural = "command batches"
        indexes = [
            models.Index(fields=["created_at"], condition=Q(ended_at=None), name="stations_commandbatch_open"),
            models.Index(fields=["-created_at"], name="stations_commandbatch_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.action} of {self.created_at:%Y-%m-%d %H:%M:%S}"

    @property
    def is_running(self) -> bool:
        return self.ended_at is None and self.stopped_at is None


class CommandQuerySet(models.QuerySet["Command"]):
    def unfinished(self) -> Self:
        return self.filter(status__in=UNFINISHED)


class Command(models.Model):
    """One CALL to a station, from the request to the charger's answer; kept for ever, since it is also the audit.

    The row is the truth: whoever holds the station's socket sends what is queued here, in the order of `number`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False, help_text="Also the OCPP message id.")
    number = models.BigIntegerField(
        unique=True,
        editable=False,
        db_default=models.Func(models.Value("stations_command_number_seq"), function="nextval"),
    )
    station = models.ForeignKey(Station, models.PROTECT, related_name="commands")
    operation = models.CharField(
        max_length=40, blank=True, db_default="", help_text="Blank: an Action that no operation says."
    )
    arguments = models.JSONField(
        default=dict, db_default=NOTHING, help_text="Of the operation, in words of the domain, but for secrets."
    )
    raw_version = models.CharField(
        max_length=20,
        blank=True,
        db_default="",
        help_text="The frame is sent as it is written, for this protocol version.",
    )
    version = models.CharField(
        max_length=20, blank=True, db_default="", help_text="The protocol version of the frame."
    )
    action = models.CharField(max_length=60)
    payload = models.JSONField(default=dict, help_text="As sent, but for secrets.")
    sealed = models.BinaryField(
        null=True, editable=False, help_text="A secret of the payload, encrypted; gone once the command has ended."
    )
    requested_by = models.CharField(max_length=150)
    via = models.CharField(max_length=10, choices=CommandVia)
    reason = models.CharField(max_length=500, blank=True)
    parent = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="children")
    batch = models.ForeignKey(CommandBatch, models.PROTECT, null=True, blank=True, related_name="commands")
    allows_invalid = models.BooleanField(
        default=False, help_text="Sent although it breaks the schema, because staff said so."
    )
    resends = models.BooleanField(
        default=False, help_text="Sent again if a crash left it unanswered; only where that does no harm."
    )
    waits = models.BooleanField(default=False, help_text="Waits for its station to connect, until it expires.")
    timeout_s = models.FloatField(null=True, help_text="Blank: the station's.")

    status = models.CharField(max_length=13, choices=CommandStatus, default=CommandStatus.QUEUED)
    succeeded = models.BooleanField(null=True, help_text="Whether the charger's answer means yes; null until it ends.")
    result_status = models.CharField(max_length=100, blank=True, help_text="The charger's own word.")
    verdict = models.CharField(
        max_length=20, blank=True, db_default="", help_text="What that means, whatever the version."
    )
    result = models.JSONField(null=True, help_text="What the answer tells, in words of the domain.")
    response = models.JSONField(null=True)
    error = models.JSONField(null=True, help_text="code and description, of the charger or of ours.")
    raw_answer = models.TextField(blank=True, help_text="What came, where it was not as specified.")
    late_answer = models.JSONField(null=True, help_text="What came after the end; it changed nothing.")
    late_answered_at = models.DateTimeField(null=True)

    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(help_text="Not sent any more after this.")
    sent_at = models.DateTimeField(null=True)
    sent_epoch = models.BigIntegerField(null=True, editable=False, help_text="Which connection it was sent on.")
    answer_due_at = models.DateTimeField(null=True, editable=False)
    answered_at = models.DateTimeField(null=True, help_text="When it ended.")
    attempts = models.PositiveIntegerField(default=0, editable=False)

    expected_effect = models.CharField(max_length=7, choices=ExpectedEffect, blank=True, default=ExpectedEffect.NONE)
    effect_due_at = models.DateTimeField(null=True, editable=False)
    effect_at = models.DateTimeField(null=True)
    effect_note = models.CharField(max_length=200, blank=True)
    progress = models.JSONField(default=list, help_text="What the station told meanwhile: [time, word] pairs.")

    objects = CommandQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station"], condition=Q(status="sent"), name="stations_command_one_outstanding"
            ),
        ]
        indexes = [
            models.Index(fields=["station", "-number"], name="stations_command_history"),
            models.Index(fields=["station", "number"], condition=Q(status="queued"), name="stations_command_queue"),
            models.Index(fields=["expires_at"], condition=Q(status="queued"), name="stations_command_expiring"),
            models.Index(fields=["answer_due_at"], condition=Q(status="sent"), name="stations_command_due"),
            models.Index(
                fields=["station", "operation"],
                condition=Q(expected_effect="waiting"),
                name="stations_command_awaited",
            ),
            models.Index(
                fields=["effect_due_at"], condition=Q(expected_effect="waiting"), name="stations_command_follow_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.number}"

    @property
    def said(self) -> Operation | None:
        """The operation with its typed arguments; None of a raw frame, which is nobody's to interpret, and of what a
        later release asked for."""
        try:
            return None if self.raw_version else read_operation(self.operation, self.arguments)
        except BadArguments:
            return None

    @property
    def has_ended(self) -> bool:
        return self.status not in UNFINISHED

    @property
    def latency_s(self) -> float | None:
        """Seconds from sending to the answer; None where there was none."""
        if self.sent_at is None or self.answered_at is None or self.status not in ("answered", "call_error"):
            return None
        return (self.answered_at - self.sent_at).total_seconds()


class CommandBatchItem(models.Model):
    """One station of a batch: not commanded yet, refused by our own rules, or with its command."""

    batch = models.ForeignKey(CommandBatch, models.CASCADE, related_name="items")
    station = models.ForeignKey(Station, models.PROTECT, related_name="+")
    command = models.OneToOneField(Command, models.PROTECT, null=True, related_name="batch_item")
    refusal = models.CharField(max_length=300, blank=True, help_text="Why it was not sent.")
    commanded_at: "models.DateTimeField[datetime | None, datetime | None]" = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "station"], name="stations_commandbatchitem_unique")]
        indexes = [
            models.Index(fields=["batch", "id"], condition=Q(commanded_at=None), name="stations_batchitem_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.station_id}"
