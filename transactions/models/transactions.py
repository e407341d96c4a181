"""Transactions: charging sessions as their stations reported them."""

from datetime import datetime
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q

from connectors.models import Connector
from evcharging.db.watt_hours import WattHoursField
from id_tags.models import FoldedIdTagField, IdTag
from stations.models import Command, Station


class Closing(models.TextChoices):
    """How the end of a transaction is known; a later one in the list replaces an earlier one."""

    OPEN = "open", "Open"
    ESTIMATED = "estimated", "Estimated"
    REPORTED = "reported", "Reported"


class EstimateCause(models.TextChoices):
    """Why an end was estimated."""

    SUPERSEDED = "superseded", "Another start on the connector"
    STAFF = "staff", "Closed by staff"
    STALE = "stale", "No message for too long"


class Mark(models.TextChoices):
    """A reason to look at a transaction before billing it."""

    CLOCK_UNSET = "clock_unset", "Clock unset"
    FUTURE_TIME = "future_time", "Time in the future"
    METER_REGRESSION = "meter_regression", "Meter ran backwards"
    METER_GAP = "meter_gap", "Gap to the previous stop"
    OVERLAP = "overlap", "Overlaps another on the connector"
    SUPERSEDED = "superseded", "Superseded"
    ORPHAN_STOP = "orphan_stop", "Stop adopted without a usable id"
    MISSING_STOP = "missing_stop", "Stop never reported"
    REFUSED_TAG = "refused_tag", "Tag refused"
    NOT_ACCEPTED = "not_accepted", "Station not accepted at the time"


class StopReason(models.TextChoices):
    """OCPP 1.6 §7.36 Reason, wire words: those with a label. A station may report any other."""

    DE_AUTHORIZED = "DeAuthorized"
    EMERGENCY_STOP = "EmergencyStop"
    EV_DISCONNECTED = "EVDisconnected"
    HARD_RESET = "HardReset"
    LOCAL = "Local"
    OTHER = "Other"
    POWER_LOSS = "PowerLoss"
    REBOOT = "Reboot"
    REMOTE = "Remote"
    SOFT_RESET = "SoftReset"
    UNLOCK_COMMAND = "UnlockCommand"


class TransactionQuerySet(models.QuerySet["Transaction"]):
    def open(self) -> Self:
        return self.filter(closing=Closing.OPEN)

    def awaiting_stop(self) -> Self:
        """Return those whose stop has not come: open, or closed by estimate."""
        return self.exclude(closing=Closing.REPORTED)

    def open_at(self, instant: datetime) -> Self:
        """Return those that had begun by then and not ended by then."""
        return self.filter(Q(stopped_at=None) | Q(stopped_at__gt=instant), started_at__lte=instant)

    def suspicious(self) -> Self:
        return self.exclude(marks=[])


class Transaction(models.Model):
    """One charging session as a station reported it, from its StartTransaction on; kept for ever.

    Times: `started_at` and `stopped_at` are effective times, with the reported and received ones beside them.
    Quantities are register readings and energy in Wh, power in W, state of charge in percent.
    """

    id = models.AutoField(primary_key=True)
    transaction_id = models.PositiveIntegerField(
        unique=True, db_default=models.Func(models.Value("transactions_transaction_id_seq"), function="nextval"),
        editable=False, help_text="As the station knows it.",
    )  # fmt: skip
    ref = models.CharField(
        max_length=255, editable=False,
        help_text="The station's own word for it; in OCPP 1.6 the transaction id as text.",
    )  # fmt: skip
    # The indexes below that begin with these columns serve them too.
    station = models.ForeignKey(Station, models.PROTECT, related_name="transactions", db_index=False)
    connector = models.ForeignKey(Connector, models.PROTECT, related_name="transactions", db_index=False)
    id_tag = models.CharField("id tag", max_length=255, blank=True, help_text="As reported.")
    id_tag_folded = FoldedIdTagField(max_length=255)
    id_tag_kind = models.CharField(
        max_length=20, blank=True, default="", db_default="", editable=False,
        help_text="The kind of token, in the station's word; blank in OCPP 1.6.",
    )  # fmt: skip
    tag = models.ForeignKey(IdTag, models.PROTECT, null=True, related_name="transactions", db_index=False)
    told_authorization = models.JSONField(
        "authorization", help_text="What the station was told of the tag: status, expires_at, group_id_tag."
    )
    accepted = models.BooleanField(help_text="Whether the tag was accepted at the start.")
    reservation_id = models.IntegerField(null=True, blank=True)
    started_by_command = models.ForeignKey(
        Command, models.SET_NULL, null=True, editable=False, db_index=False, related_name="started_transactions",
        help_text="The RemoteStartTransaction that led to it.",
    )  # fmt: skip

    reported_connector_id = models.IntegerField(editable=False)
    plug = models.SmallIntegerField(
        null=True, editable=False, help_text="Which plug of the EVSE; null in OCPP 1.6, where a connector has one."
    )
    start_timestamp_raw = models.CharField(max_length=255, null=True, editable=False)  # noqa: DJ001 - absent is not empty
    meter_start_raw = models.CharField(max_length=255, null=True, editable=False)  # noqa: DJ001 - absent is not empty
    start_is_credible = models.BooleanField(editable=False)
    started_at = models.DateTimeField()
    start_reported_at = models.DateTimeField(null=True)
    start_received_at = models.DateTimeField()
    meter_start = WattHoursField("meter start (Wh)", null=True)
    id_seen_at = models.DateTimeField(
        null=True, editable=False, help_text="When the station first named the id; until then a Start is a resend."
    )

    closing = models.CharField(max_length=9, choices=Closing, default=Closing.OPEN)
    stopped_at = models.DateTimeField(null=True)
    stop_reported_at = models.DateTimeField(null=True)
    stop_received_at = models.DateTimeField(null=True)
    meter_stop = WattHoursField("meter stop (Wh)", null=True, help_text="Null while the end is estimated.")
    stop_reason = models.CharField(max_length=50, blank=True, choices=StopReason)
    stop_id_tag = models.CharField(max_length=255, blank=True)
    stop_digest = models.UUIDField(null=True, editable=False, help_text="Of the StopTransaction's content.")

    estimated_stopped_at = models.DateTimeField(null=True, help_text="Kept when the reported end replaces it.")
    estimated_energy_wh = WattHoursField(null=True)
    estimate_cause = models.CharField(max_length=10, blank=True, choices=EstimateCause)
    closed_by = models.CharField(max_length=150, blank=True)
    close_note = models.TextField(blank=True)

    energy_wh = WattHoursField("energy (Wh)", null=True, help_text="So far while open. Unknown while meter start is.")
    last_register_wh = WattHoursField(null=True)
    last_register_at = models.DateTimeField(null=True)
    power_w = models.FloatField("power (W)", null=True)
    power_at = models.DateTimeField(null=True)
    soc_percent = models.FloatField("state of charge (%)", null=True)
    soc_at = models.DateTimeField(null=True)
    last_message_at = models.DateTimeField(help_text="Received time of its latest message.")
    marks = ArrayField(models.CharField(max_length=20, choices=Mark), default=list, blank=True)

    objects = TransactionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station", "reported_connector_id", "id_tag_folded", "start_timestamp_raw", "meter_start_raw"],
                condition=Q(start_is_credible=True),
                nulls_distinct=False,
                name="transactions_start_credible_unique",
            ),
            models.UniqueConstraint(
                fields=["station", "reported_connector_id", "id_tag_folded", "start_timestamp_raw", "meter_start_raw"],
                condition=Q(id_seen_at=None),
                nulls_distinct=False,
                name="transactions_start_unseen_unique",
            ),
            models.UniqueConstraint(
                fields=["started_by_command"],
                condition=Q(started_by_command__isnull=False),
                name="transactions_one_per_remote_start",
            ),
            models.UniqueConstraint(
                fields=["connector"], condition=Q(closing="open"), name="transactions_one_open_per_connector"
            ),
            models.CheckConstraint(condition=Q(transaction_id__gte=1), name="transactions_transaction_id_positive"),
            models.CheckConstraint(condition=~Q(ref=""), name="transactions_ref_is_given"),
            models.CheckConstraint(
                condition=Q(energy_wh=None) | Q(energy_wh__gte=0), name="transactions_energy_positive"
            ),
            models.CheckConstraint(
                condition=Q(closing="open", stopped_at=None) | (~Q(closing="open") & Q(stopped_at__isnull=False)),
                name="transactions_closed_has_end",
            ),
            models.CheckConstraint(
                condition=Q(meter_stop=None) | Q(closing="reported"), name="transactions_meter_stop_is_reported"
            ),
        ]
        # None holds a column that every MeterValues changes (last_message_at, energy, power), so that its write is a
        # HOT update (ADR 14); the fillfactor set by a migration leaves room for it in each page.
        indexes = [
            models.Index(fields=["connector", "-started_at"], name="transactions_by_connector"),
            # What was open at an instant, without reading what ended before it.
            models.Index(fields=["connector", "stopped_at"], name="transactions_by_connector_end"),
            models.Index(fields=["tag", "stopped_at"], name="transactions_by_tag_end"),
            models.Index(fields=["station", "-started_at"], name="transactions_by_station"),
            models.Index(fields=["station", "ref"], name="transactions_by_ref"),
            models.Index(fields=["id_tag_folded", "-started_at"], name="transactions_by_id_tag"),
            models.Index(F("started_at").desc(), name="transactions_by_start"),
            GinIndex(fields=["marks"], name="transactions_by_mark"),
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id}"

    @property
    def is_open(self) -> bool:
        return self.closing == Closing.OPEN
