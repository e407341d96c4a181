"""Messages that match no transaction, and stops that contradict an applied one."""

from django.db import models

from evcharging.db.watt_hours import WattHoursField
from stations.models import Station
from transactions.models.transactions import Transaction


class StopConflict(models.Model):
    """A stop whose content differs from the one already applied; recorded, never applied."""

    transaction = models.ForeignKey(Transaction, models.PROTECT, related_name="stop_conflicts")
    digest = models.UUIDField(editable=False)
    meter_stop = WattHoursField("meter stop (Wh)", null=True)
    stop_reason = models.CharField(max_length=50, blank=True, db_default="")
    reported_at = models.DateTimeField(null=True)
    payload = models.JSONField(help_text="As received.")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["transaction", "digest"], name="transactions_stopconflict_unique")
        ]

    def __str__(self) -> str:
        return f"{self.transaction_id} {self.received_at:%Y-%m-%d %H:%M:%S}"


class OrphanKind(models.TextChoices):
    STOP = "stop", "Stop"
    METER_VALUES = "meter_values", "Meter values"


class OrphanState(models.TextChoices):
    WAITING = "waiting", "Waiting for review"
    ADOPTED = "adopted", "Adopted"
    DISMISSED = "dismissed", "Dismissed"


class OrphanMessage(models.Model):
    """A message whose transaction id matches none; waits until staff adopt or dismiss it, and is kept for ever.

    A stop is one row per content; meter values are one row per connector, reported id and day, and their samples are
    stored anyway.
    """

    station = models.ForeignKey(Station, models.PROTECT, related_name="orphans")
    kind = models.CharField(max_length=16, choices=OrphanKind)
    transaction_ref = models.CharField("reported transaction id", max_length=255, blank=True)
    connector_id = models.IntegerField(null=True, help_text="Of meter values; a stop carries none.")
    digest = models.UUIDField(editable=False, help_text="Of the stop's content, or of connector and reported id.")
    id_tag = models.CharField("id tag", max_length=255, blank=True)
    meter_stop = WattHoursField("meter stop (Wh)", null=True)
    stop_reason = models.CharField(max_length=50, blank=True)
    reported_at = models.DateTimeField(null=True)
    effective_at = models.DateTimeField(help_text="Of the stop, or of the first sample.")
    last_effective_at = models.DateTimeField(null=True, help_text="Of the last sample.")
    received_at = models.DateTimeField()
    last_received_at = models.DateTimeField()
    count = models.BigIntegerField(default=1, help_text="Messages received, resends included.")
    payload = models.JSONField(null=True)
    state = models.CharField(max_length=9, choices=OrphanState, default=OrphanState.WAITING)
    transaction = models.ForeignKey(Transaction, models.PROTECT, null=True, blank=True, related_name="orphans")
    resolved_by = models.CharField(max_length=150, blank=True, help_text="Blank where the system adopted it itself.")
    resolved_at = models.DateTimeField(null=True)
    resolution_note = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["station", "kind", "digest"], name="transactions_orphan_unique"),
        ]
        indexes = [models.Index(fields=["state", "-received_at"], name="transactions_orphan_review")]

    def __str__(self) -> str:
        return f"{self.station_id} {self.kind} {self.transaction_ref}"
