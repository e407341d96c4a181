"""How connectors, their statuses and errors are shown."""

from django.utils.safestring import SafeString

from connectors.models import Connector, ConnectorStatus
from evcharging.back_office.display import BAD, GOOD, NEWS, NOTHING, PLAIN, UNSURE, badge, joined

STATUS_KINDS: dict[str, str] = {
    ConnectorStatus.AVAILABLE: GOOD,
    ConnectorStatus.PREPARING: NEWS,
    ConnectorStatus.CHARGING: NEWS,
    ConnectorStatus.SUSPENDED_EVSE: UNSURE,
    ConnectorStatus.SUSPENDED_EV: UNSURE,
    ConnectorStatus.FINISHING: NEWS,
    ConnectorStatus.RESERVED: NEWS,
    ConnectorStatus.UNAVAILABLE: UNSURE,
    ConnectorStatus.FAULTED: BAD,
}


def connector_name(connector: Connector) -> str:
    """Return the connector's number with its label; connector 0 is the station itself."""
    if connector.is_station_itself:
        return "0 · station itself"
    return f"{connector.connector_id} · {connector.label}" if connector.label else str(connector.connector_id)


def status_badge(status: str) -> SafeString:
    """Return a status as a badge; one that is not OCPP's has no colour."""
    return badge(status, STATUS_KINDS.get(status, PLAIN))


def connector_badge(connector: Connector) -> SafeString:
    """Return the connector's status as a badge, with the availability that it was asked for and has not reached."""
    if connector.status not in ConnectorStatus.values:
        return badge(connector.status or "not yet reported")
    if connector.availability_command_id is None:
        return status_badge(connector.status)
    return joined([status_badge(connector.status), badge(f"{connector.wanted_availability} to come", UNSURE)])


def error_badge(error_code: str, vendor_error_code: str, kind: str = BAD) -> SafeString:
    """Return the reported error as a badge, with the vendor's code; nothing for NoError."""
    codes = [code for code in (error_code, vendor_error_code) if code not in ("", "NoError")]
    return badge(" · ".join(codes), kind) if codes else NOTHING


def connector_error_badge(connector: Connector) -> SafeString:
    """Return the connector's error as a badge; an error that does not make it faulted is a warning."""
    return error_badge(connector.error_code, connector.vendor_error_code, BAD if connector.is_faulted else UNSURE)
