"""Rows with a unique name: inserted, or refused with a reason."""

from django.db import IntegrityError, transaction
from django.db.models import Model, QuerySet


class AlreadyExists(Exception):
    """There is a row of this name, whatever its case; the text says of what kind."""


def insert_unique(row: Model, *, known: QuerySet, reason: str) -> None:
    """Insert a row unless `known` finds one of its name.

    Looked up first and not only caught, because PostgreSQL would log the name in its error; caught nevertheless,
    because another process may insert it between the two.

    :raises AlreadyExists: with the reason.
    """
    if known.exists():
        raise AlreadyExists(reason)
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise AlreadyExists(reason) from None
