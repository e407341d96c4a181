"""Whether a row has history: anything that refers to it and must stay."""

from django.db.models import PROTECT, Model


def has_history(row: Model) -> bool:
    """Tell whether rows that protect this one refer to it; none of them is read.

    Deleting and catching ProtectedError would load them all, of a station every sample.
    """
    for relation in row._meta.related_objects:
        if relation.on_delete is PROTECT:
            rows = relation.related_model._base_manager.filter(**{relation.field.name: row.pk})
            if rows.exists():
                return True
    return False
