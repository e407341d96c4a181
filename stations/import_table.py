"""Columns of the station import, and the parsing of its rows."""

from evcharging.tables.table import Column, check_length, choice_parser, parse_cell
from stations.models import RegistrationStatus
from stations.passwords import hash_password
from stations.services.bulk_import import StationRow

COLUMNS = (Column("identity", is_required=True), Column("name"), Column("registration_status"), Column("password"))

MAX_LENGTHS = {"identity": 255, "name": 200}
_parse_status = choice_parser(RegistrationStatus.values)


def station_row(cells: dict[str, str]) -> StationRow:
    """Parse a row of text; an empty status is Accepted.

    :raises ValueError: with column and reason, never with a password.
    """
    if not cells["identity"]:
        raise ValueError("identity: it is empty")
    return StationRow(
        parse_cell(cells, "identity", _check_identity, ""),
        parse_cell(cells, "name", lambda text: check_length(text, MAX_LENGTHS["name"]), ""),
        parse_cell(cells, "registration_status", _parse_status, RegistrationStatus.ACCEPTED.value),
        parse_cell(cells, "password", _check_password, ""),
    )


def _check_identity(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has characters that no charger can have in its URL")
    return check_length(text, MAX_LENGTHS["identity"])


def _check_password(text: str) -> str:
    hash_password(text)
    return text
