"""Status history in the back office."""

from status_notifications.admin import station_panels, status_history

__all__ = ["station_panels", "status_history"]
