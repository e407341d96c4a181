"""What a station says of itself."""

from typing import NamedTuple


class BootReport(NamedTuple):
    vendor: str
    model: str
    charge_point_serial_number: str
    charge_box_serial_number: str
    firmware_version: str
    iccid: str
    imsi: str
    meter_type: str
    meter_serial_number: str
