"""Links to the forms of operations, from whatever page an operation is about."""

from django.urls import reverse


def operation_url(station_id: int, operation: str, **initial: str) -> str:
    """Return the address of an operation's form for a station; `initial` fills in its fields."""
    return reverse("admin:stations_station_command", args=[station_id, operation], query=initial or None)
