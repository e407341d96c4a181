"""History of a row: rows that refer to it with PROTECT, so that it may not be deleted."""

from django.db.models import PROTECT, Model

from evcharging.db.time_windows import has_rows


class HasHistory(Exception):
    """The row cannot be deleted; the text says what to do instead."""


def has_history(row: Model) -> bool:
    """Tell whether rows that protect this one refer to it, by EXISTS queries.

    Deleting it and catching ProtectedError would load all of them: of a station, every sample.
    """
    for relation in row._meta.related_objects:
        if relation.on_delete is PROTECT:
            rows = relation.related_model._base_manager.filter(**{relation.field.name: row.pk})
            if has_rows(rows):
                return True
    return False
