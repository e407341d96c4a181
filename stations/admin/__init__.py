"""Stations and their records in the back office."""

from stations.admin import records, refused, station
from stations.admin.station import StationAdmin

__all__ = ["StationAdmin", "records", "refused", "station"]
