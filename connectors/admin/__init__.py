"""Connectors in the back office."""

from connectors.admin import connector, operation_forms, station_panels

__all__ = ["connector", "operation_forms", "station_panels"]
