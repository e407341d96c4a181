"""API resources of stations: stations, configuration, commands, deviations, refused connections.

A new resource is a viewset in this package, with its routes in evcharging/api/urls.py.
"""

from stations.api.batches import BatchItemViewSet, BatchViewSet
from stations.api.commands import CommandViewSet, StationCommandViewSet
from stations.api.configuration import StationConfigurationViewSet
from stations.api.records import DeviationViewSet, RefusedConnectionViewSet
from stations.api.stations import StationViewSet

__all__ = [
    "BatchItemViewSet",
    "BatchViewSet",
    "CommandViewSet",
    "DeviationViewSet",
    "RefusedConnectionViewSet",
    "StationCommandViewSet",
    "StationConfigurationViewSet",
    "StationViewSet",
]
