"""Reads of status history."""

from status_notifications.models import StatusNotification


def latest_statuses(*, station_id: int, limit: int) -> list[StatusNotification]:
    """Return the latest statuses of all connectors of a station, latest first.

    Reads each connector's latest from the identity index (LATERAL … LIMIT) and merges them.
    """
    rows = StatusNotification.objects.raw(
        """
        SELECT latest.*
        FROM connectors_connector AS c
        CROSS JOIN LATERAL (
            SELECT n.* FROM status_notifications AS n
            WHERE n.station_id = c.station_id AND n.connector_id = c.connector_id
            ORDER BY n.effective_at DESC LIMIT %(limit)s
        ) AS latest
        WHERE c.station_id = %(station_id)s
        ORDER BY latest.effective_at DESC, latest.connector_id LIMIT %(limit)s
        """,
        {"station_id": station_id, "limit": limit},
    )
    return list(rows)
