"""Reservations: a connector kept for a tag."""

from datetime import datetime
from typing import Self

from django.db import models

from id_tags.models import FoldedIdTagField
from stations.models import Command, Station
from transactions.models.transactions import Transaction


class ReservationStatus(models.TextChoices):
    """How a reservation stands, as far as its station told."""

    REQUESTED = "requested", "Requested"
    ACTIVE = "active", "Active"
    REFUSED = "refused", "Refused"
    REPLACED = "replaced", "Replaced"
    CANCELLED = "cancelled", "Cancelled"
    USED = "used", "Used"
    EXPIRED = "expired", "Expired"


HELD = (ReservationStatus.REQUESTED, ReservationStatus.ACTIVE)


class ReservationQuerySet(models.QuerySet["Reservation"]):
    def held_at(self, instant: datetime) -> Self:
        """Those that keep a connector, or may yet, at an instant."""
        return self.filter(status__in=HELD, expires_at__gt=instant)


class Reservation(models.Model):
    """One ReserveNow (OCPP 1.6 §5.13) and what became of it; kept for ever."""

    reservation_id = models.PositiveIntegerField(
        db_default=models.Func(models.Value("transactions_reservation_id_seq"), function="nextval"),
        help_text="As the station knows it.",
    )
    station = models.ForeignKey(Station, models.PROTECT, related_name="reservations")
    connector_id = models.PositiveIntegerField(help_text="0: any connector of the station.")
    id_tag = models.CharField("id tag", max_length=255)
    id_tag_folded = FoldedIdTagField(max_length=255)
    parent_id_tag = models.CharField(max_length=255, blank=True)
    expires_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=ReservationStatus, default=ReservationStatus.REQUESTED)
    result_status = models.CharField(max_length=100, blank=True, help_text="The station's own word.")
    command = models.ForeignKey(Command, models.PROTECT, related_name="+")
    cancel_command = models.ForeignKey(Command, models.SET_NULL, null=True, blank=True, related_name="+")
    transaction = models.ForeignKey(Transaction, models.PROTECT, null=True, blank=True, related_name="reservations")
    created_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    objects = ReservationQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["station", "reservation_id"],
                condition=models.Q(status="active"),
                name="transactions_reservation_active",
            ),
        ]
        indexes = [
            models.Index(fields=["-created_at"], name="transactions_reservation_new"),
            models.Index(
                fields=["expires_at"], condition=models.Q(status__in=["requested", "active"]),
                name="transactions_reservation_held",
            ),
            models.Index(
                fields=["station"], condition=models.Q(status__in=["requested", "active"]),
                name="transactions_reservation_here",
            ),
            models.Index(fields=["command"], name="transactions_reservation_cmd"),
            models.Index(fields=["station", "reservation_id"], name="transactions_reservation_ids"),
        ]  # fmt: skip

    def __str__(self) -> str:
        return f"{self.reservation_id}"
