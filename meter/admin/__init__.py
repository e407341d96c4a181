"""Meter values in the back office."""

from meter.admin import meter_values, series, station_panels, transaction_panels

__all__ = ["meter_values", "series", "station_panels", "transaction_panels"]
