"""Stations and their records in the back office."""

from stations.admin import batches, commands, records, refused, station
from stations.admin.station import StationAdmin

__all__ = ["StationAdmin", "batches", "commands", "records", "refused", "station"]
