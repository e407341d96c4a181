"""Stations and their records in the back office."""

from stations.admin import batches, commands, records, refused, station, station_panels

__all__ = ["batches", "commands", "records", "refused", "station", "station_panels"]
