"""Badges of stored statuses."""

from django.utils.safestring import SafeString

from connectors.admin.badges import status_badge
from status_notifications.models import StatusNotification


def row_badge(row: StatusNotification) -> SafeString:
    """Return a stored status as a badge; one that an older release stored without its word is shown as "other"."""
    return status_badge(row.word or "other")
