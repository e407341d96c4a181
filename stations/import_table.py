"""The list of stations that `import_stations` reads: its columns, and what may stand in them."""

from evcharging.tables.table import Column
from stations.models import RegistrationStatus
from stations.passwords import hash_password
from stations.services.bulk_import import StationRow

COLUMNS = (Column("identity", is_required=True), Column("name"), Column("registration_status"), Column("password"))

_STATUSES = {status.value.lower(): status.value for status in RegistrationStatus}
MAX_LENGTHS = {"identity": 255, "name": 200}


def station_row(cells: dict[str, str]) -> StationRow:
    """Return the station that a row of text means; an empty status is Accepted.

    :raises ValueError: with the reason, which never shows a password.
    """
    identity = cells["identity"]
    if not identity:
        raise ValueError("identity: it is empty")
    if not identity.isprintable():
        raise ValueError("identity: there are characters that no charger can have in its URL")
    for name, limit in MAX_LENGTHS.items():
        if len(cells.get(name, "")) > limit:
            raise ValueError(f"{name}: {len(cells[name])} characters, of which there may be {limit}")
    status = cells.get("registration_status", "")
    if status and status.lower() not in _STATUSES:
        raise ValueError(f"registration_status: {status[:50]!r} is none of {', '.join(RegistrationStatus.values)}")
    password = cells.get("password", "")
    if password:
        try:
            hash_password(password)
        except ValueError as error:
            raise ValueError(f"password: {error}") from None
    return StationRow(
        identity, cells.get("name", ""), _STATUSES[status.lower()] if status else RegistrationStatus.ACCEPTED, password
    )
