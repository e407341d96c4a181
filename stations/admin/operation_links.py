"""URLs of the forms of operations."""

from django.urls import reverse

from stations.operations import Operation


def operation_url(station_id: int, operation: type[Operation], **initial: str) -> str:
    """Return the URL of an operation's form for a station; `initial` fills in fields, named as arguments."""
    return reverse("admin:stations_station_command", args=[station_id, operation.name], query=initial or None)
