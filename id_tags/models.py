"""Id tags: who may charge, in which group, until when, and how often at once."""

from typing import Any

from django.db import models

from stations.models import Command, Station


def fold_id_tag(id_tag: str) -> str:
    """Fold a tag for comparison: OCPP's CiString is case-insensitive (OCPP 1.6 §7.28)."""
    return id_tag.strip().casefold()


class FoldedIdTagField(models.CharField):
    """The folded text of another field; the field itself computes it on every save."""

    def __init__(self, *args: Any, source: str = "id_tag", **kwargs: Any) -> None:
        self.source = source
        kwargs.setdefault("editable", False)
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"source": self.source}

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        folded = fold_id_tag(getattr(model_instance, self.source))
        setattr(model_instance, self.attname, folded)
        return folded


class IdTagStatus(models.TextChoices):
    """What staff decided about a tag; OCPP 1.6 §7.2 AuthorizationStatus without ConcurrentTx, which is computed."""

    ACCEPTED = "Accepted"
    BLOCKED = "Blocked"
    EXPIRED = "Expired"
    INVALID = "Invalid"


class IdTagGroup(models.Model):
    """Tags that may stop one another's transactions; its id is sent to stations as parentIdTag."""

    parent_id_tag = models.CharField(max_length=255)
    parent_id_tag_folded = FoldedIdTagField(max_length=255, unique=True, source="parent_id_tag")
    max_active_transactions = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="For all tags of the group together. Blank: each tag has its own limit; 0: none.",
    )
    note = models.TextField(blank=True)

    def __str__(self) -> str:
        return self.parent_id_tag


class IdTag(models.Model):
    """One RFID card or other token that may be presented at a station; kept for ever once it has charged."""

    id_tag = models.CharField("id tag", max_length=255)
    id_tag_folded = FoldedIdTagField(max_length=255, unique=True)
    kind = models.CharField(
        max_length=20, blank=True, default="", db_default="", editable=False,
        help_text="The kind of token, in OCPP 2.x's word; blank where none was said.",
    )  # fmt: skip
    status = models.CharField(max_length=10, choices=IdTagStatus, default=IdTagStatus.ACCEPTED, db_index=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    group = models.ForeignKey(IdTagGroup, models.PROTECT, null=True, blank=True, related_name="id_tags")
    max_active_transactions = models.PositiveIntegerField(
        null=True, blank=True, help_text="Blank means 1, or the group's limit where it has one; 0 means unlimited."
    )
    note = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "id tag"

    def __str__(self) -> str:
        return self.id_tag


class UnknownIdTag(models.Model):
    """An unknown tag that was presented, counted; deleted when not seen for REFUSAL_RETENTION_DAYS."""

    id_tag = models.CharField("id tag", max_length=255)
    id_tag_folded = FoldedIdTagField(max_length=255, unique=True)
    station = models.ForeignKey(Station, models.CASCADE, related_name="+", help_text="Where it was last presented.")
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField(db_index=True)
    count = models.BigIntegerField(default=0)

    class Meta:
        verbose_name = "unknown id tag"

    def __str__(self) -> str:
        return self.id_tag


class LocalList(models.Model):
    """The local authorisation list of one station, as it last accepted or told it (OCPP 1.6 §5.15)."""

    station = models.OneToOneField(Station, models.CASCADE, primary_key=True, related_name="local_list")
    version = models.IntegerField(default=0, help_text="As last accepted; 0 is the empty list.")
    entries = models.JSONField(default=dict, help_text="Folded tag → [tag, what the station was told].")
    reported_version = models.IntegerField(null=True, help_text="As the station says; -1: not supported.")
    reported_at = models.DateTimeField(null=True)
    updated_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.station_id} version {self.version}"

    @property
    def is_in_step(self) -> bool:
        """Whether the station's own word, if any, agrees with what it accepted: only then is a Differential safe."""
        return self.version > 0 and self.reported_version in (None, self.version)


class LocalListUpdateStatus(models.TextChoices):
    SENDING = "sending", "Sending"
    ACCEPTED = "accepted", "Accepted"
    FAILED = "failed", "Failed"


class LocalListUpdate(models.Model):
    """A set of tags on its way to one station, in as many SendLocalLists as it takes; kept for ever."""

    station = models.ForeignKey(Station, models.PROTECT, related_name="local_list_updates")
    update_type = models.CharField(max_length=12, help_text="Full or Differential, as now tried.")
    wanted = models.JSONField(help_text="Folded tag → [tag, what the station is told]: the whole list as it shall be.")
    remaining = models.JSONField(default=list, help_text="Arguments of the operations still to be sent, in order.")
    parts = models.PositiveIntegerField(default=1)
    status = models.CharField(max_length=8, choices=LocalListUpdateStatus, default=LocalListUpdateStatus.SENDING)
    command = models.ForeignKey(Command, models.SET_NULL, null=True, related_name="+", help_text="The latest part's.")
    requested_by = models.CharField(max_length=150)
    via = models.CharField(max_length=10)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station"], condition=models.Q(status="sending"), name="id_tags_locallistupdate_one"
            )
        ]

    def __str__(self) -> str:
        return f"{self.station_id} {self.update_type} {self.created_at:%Y-%m-%d %H:%M:%S}"
