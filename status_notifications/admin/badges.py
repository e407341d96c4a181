"""Badges of stored statuses."""

from django.utils.safestring import SafeString

from connectors.admin.badges import status_badge
from status_notifications.models import StatusCode


def code_badge(code: int) -> SafeString:
    """Return a stored status code as a badge; a status that is not OCPP's is shown as "other"."""
    return status_badge(StatusCode(code).label or "other")
