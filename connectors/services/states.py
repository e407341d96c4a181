"""Rows of connectors: created on sight, locked, and the register that a transaction leaves on them."""

from decimal import Decimal

from connectors.models import Connector


def lock_connector(*, station_id: int, connector_id: int) -> Connector:
    """Return the connector, created on sight, locked until the end of the database transaction."""
    connectors = Connector.objects.select_for_update(no_key=True).filter(
        station_id=station_id, connector_id=connector_id
    )
    connector = connectors.first()
    if connector is None:
        Connector.objects.bulk_create(
            [Connector(station_id=station_id, connector_id=connector_id)], ignore_conflicts=True
        )
        connector = connectors.get()
    return connector


def set_last_meter_stop(*, connector: Connector, meter_stop_wh: Decimal) -> None:
    """Set the register at the end of the latest transaction of a locked connector."""
    connector.last_meter_stop_wh = meter_stop_wh
    connector.save(update_fields=["last_meter_stop_wh"])
