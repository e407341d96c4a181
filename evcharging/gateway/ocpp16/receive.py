"""A payload of OCPP 1.6 as it is understood: read by its schema, then by what no schema says."""

from typing import Any

from evcharging.gateway.ocpp16.aliases import ALIASES, CATCH_ALL, MISSING, OPEN_VOCABULARIES
from evcharging.gateway.ocppj.deviations import Applied, note
from evcharging.gateway.ocppj.error_codes import OCPP16_CODES
from evcharging.gateway.ocppj.normalise import Quirks, Received, Vocabulary, read_payload
from evcharging.ocpp16_schemas import PROPERTY, SCHEMAS, SchemaError, is_valid_request

MAX_INT32 = 2**31 - 1
MAX_ID_TAG = 255
LONGEST_FOLDED_CHARACTER = 3
ID_TAG_ACTIONS = frozenset({"Authorize", "StartTransaction", "StopTransaction"})
VOCABULARY = Vocabulary(
    schemas=SCHEMAS,
    is_valid=is_valid_request,
    codes=OCPP16_CODES,
    aliases=ALIASES,
    catch_all=CATCH_ALL,
    open_vocabularies=OPEN_VOCABULARIES,
    missing=MISSING,
    registers=frozenset({"meterStart", "meterStop"}),
    free_texts=frozenset({"data", "value"}),
)


def receive(action: str, payload: dict[str, Any], quirks: Quirks) -> Received:
    """Return the payload as its schema wants it; the given one is left as it came."""
    received = read_payload(action, payload, VOCABULARY)
    return received if received.error is not None else _checked(action, received.payload, quirks, received.deviations)


def _checked(action: str, payload: dict[str, Any], quirks: Quirks, deviations: list[Applied]) -> Received:
    """Apply what no schema says: ids that no column holds, and a station's own tags."""
    connector_id = payload.get("connectorId")
    if connector_id is not None and not 0 <= connector_id <= MAX_INT32:
        note(deviations, "impossible_connector_id", "connectorId", connector_id)
        if action == "StatusNotification":
            return Received(payload, deviations, SchemaError(PROPERTY, "connectorId", "no such connector"))
        payload = payload | {"connectorId": 0}
    if action in ID_TAG_ACTIONS and "idTag" in payload:
        payload = _with_id_tag(payload, quirks.id_tag_transform, deviations)
    return Received(payload, deviations, None)


def _with_id_tag(payload: dict[str, Any], transform: str, deviations: list[Applied]) -> dict[str, Any]:
    """Read a tag as the station means it: KEBA appends `_serial`, payment terminals send lists with `;`.

    Control characters and backslashes stay: such a tag is unknown, not an error.
    """
    reported = payload["idTag"]
    id_tag = reported.strip()
    if transform == "strip_serial_suffix":
        id_tag = id_tag.partition("_")[0]
    elif transform == "first_of_list":
        id_tag = id_tag.partition(";")[0].strip()
    if len(id_tag) > MAX_ID_TAG // LONGEST_FOLDED_CHARACTER and len(id_tag.casefold()) > MAX_ID_TAG:
        # Cut so that its folded form, which may be three times as long, fits its column too.
        id_tag = id_tag[: MAX_ID_TAG if id_tag.isascii() else MAX_ID_TAG // LONGEST_FOLDED_CHARACTER]
    if not id_tag:
        note(deviations, "empty_id_tag", "idTag", reported)
    elif not id_tag.isprintable():
        note(deviations, "unprintable_id_tag", "idTag", repr(reported))
    elif id_tag != reported:
        note(deviations, f"id_tag_{transform}" if transform else "id_tag_trimmed", "idTag", "…" + id_tag[-4:])
    return payload if id_tag == reported else payload | {"idTag": id_tag}
