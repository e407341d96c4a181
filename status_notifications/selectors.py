"""Reads of status history."""

from datetime import datetime

from evcharging.db.time_windows import windows_back
from status_notifications.models import StatusNotification

_LATEST = """
    SELECT latest.*
    FROM connectors_connector AS c
    CROSS JOIN LATERAL (
        SELECT n.* FROM status_notifications AS n
        WHERE n.station_id = %(station_id)s AND n.connector_id = c.connector_id
          AND n.effective_at >= %(since)s AND n.effective_at < %(until)s
        ORDER BY n.effective_at DESC LIMIT %(limit)s
    ) AS latest
    WHERE c.station_id = %(station_id)s
    ORDER BY latest.effective_at DESC, latest.connector_id LIMIT %(limit)s
"""


def latest_statuses(*, station_id: int, limit: int, now: datetime) -> list[StatusNotification]:
    """Return the latest statuses of all connectors of a station, latest first.

    Reads each connector's latest from the identity index (LATERAL … LIMIT) and merges them.
    """
    rows: list[StatusNotification] = []
    for window in windows_back("status_notifications", latest=now):
        values = {
            "station_id": station_id,
            "limit": limit - len(rows),
            "since": window.since or "-infinity",
            "until": window.until or "infinity",
        }
        rows += StatusNotification.objects.raw(_LATEST, values)
        if len(rows) >= limit:
            break
    return rows
