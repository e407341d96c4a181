"""Status history in the back office."""

from status_notifications.admin import status_history

__all__ = ["status_history"]
