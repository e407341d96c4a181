"""The handlers of every command of a 1.6 charge point, its security extension included."""

from collections.abc import Callable
from typing import Any

from ocpp.routing import create_route_map

from evcharging.simulator.commands.availability import AvailabilityHandlers
from evcharging.simulator.commands.certificates import CertificateHandlers
from evcharging.simulator.commands.configuration import ConfigurationHandlers
from evcharging.simulator.commands.firmware import FirmwareHandlers
from evcharging.simulator.commands.handlers import CommandHandlers, FollowUp
from evcharging.simulator.commands.local_list import LocalListHandlers
from evcharging.simulator.commands.logs import LogHandlers
from evcharging.simulator.commands.remote import RemoteHandlers
from evcharging.simulator.commands.reservation import ReservationHandlers
from evcharging.simulator.commands.smart_charging import SmartChargingHandlers
from evcharging.simulator.commands.trigger import TriggerHandlers
from evcharging.simulator.connection import Connection
from evcharging.simulator.station import Station

HANDLERS: tuple[type[CommandHandlers], ...] = (
    AvailabilityHandlers,
    CertificateHandlers,
    ConfigurationHandlers,
    FirmwareHandlers,
    LocalListHandlers,
    LogHandlers,
    RemoteHandlers,
    ReservationHandlers,
    SmartChargingHandlers,
    TriggerHandlers,
)


def route_map(
    station: Station, connection: Connection, after_answer: Callable[[FollowUp], None]
) -> dict[str, dict[str, Any]]:
    """Return the `ocpp` package's routes, by Action, to handlers for one connection of the station."""
    routes: dict[str, dict[str, Any]] = {}
    for handlers in HANDLERS:
        routes |= create_route_map(handlers(station, connection, after_answer))
    return routes
