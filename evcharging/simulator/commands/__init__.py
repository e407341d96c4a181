"""Every operation that a central system may ask of a 1.6 charge point, its security extension included."""

from evcharging.simulator.commands.availability import AvailabilityCommands
from evcharging.simulator.commands.certificates import CertificateCommands
from evcharging.simulator.commands.configuration import ConfigurationCommands
from evcharging.simulator.commands.firmware import FirmwareCommands
from evcharging.simulator.commands.local_list import LocalListCommands
from evcharging.simulator.commands.logs import LogCommands
from evcharging.simulator.commands.remote import RemoteCommands
from evcharging.simulator.commands.reservation import ReservationCommands
from evcharging.simulator.commands.smart_charging import SmartChargingCommands
from evcharging.simulator.commands.trigger import TriggerCommands


class Commands(
    AvailabilityCommands,
    CertificateCommands,
    ConfigurationCommands,
    FirmwareCommands,
    LocalListCommands,
    LogCommands,
    RemoteCommands,
    ReservationCommands,
    SmartChargingCommands,
    TriggerCommands,
):
    """All of them."""
