"""Tokens, and the idempotency keys of POSTs."""

import uuid
from datetime import datetime

from django.contrib.postgres.fields import ArrayField
from django.db import models


class Scope(models.TextChoices):
    """Permissions of a token; none includes another."""

    READ = "read", "Read: every GET"
    OPERATE = "operate", "Operate: commands, closing transactions, orphans"
    MANAGE = "manage", "Manage: stations, id tags and groups"


class ApiToken(models.Model):
    """A program's token, of which only the digest is stored. Revoked, never deleted."""

    name = models.CharField(max_length=100, unique=True, help_text="Which program uses it; stands where it acted.")
    digest = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 in hex.")
    start = models.CharField(max_length=12, editable=False, help_text="Its first characters, to tell it by.")
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope))
    created_by = models.CharField(max_length=150, editable=False)
    created_at = models.DateTimeField(editable=False)
    expires_at = models.DateTimeField(null=True, blank=True, help_text="Blank: never.")
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False, help_text="Written once a minute at most.")

    class Meta:
        verbose_name = "API token"
        verbose_name_plural = "API tokens"
        constraints = [models.CheckConstraint(condition=~models.Q(scopes=[]), name="api_apitoken_has_scopes")]

    def __str__(self) -> str:
        return self.name

    def is_valid(self, now: datetime) -> bool:
        """Tell whether it is neither revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > now)


class IdempotencyKey(models.Model):
    """A POST with an Idempotency-Key, and its answer once there is one; deleted after a day.

    `id` is the same when a request runs again because its first run was cut off: a view can use it as the id of the
    row that it creates, so that the second run finds the row.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.CharField(max_length=40, help_text="Who sent it: token:<id> or user:<id>.")
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, address and body.")
    created_at = models.DateTimeField(db_index=True)
    claimed_at = models.DateTimeField(help_text="When the run began that is to give the answer.")
    status = models.PositiveSmallIntegerField(null=True, help_text="Null while there is no answer yet.")
    headers = models.JSONField(default=dict)
    body = models.TextField(blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["owner", "key"], name="api_idempotencykey_unique")]

    def __str__(self) -> str:
        return f"{self.owner} {self.key}"
