"""Words that chargers use instead of the specification's, and what a missing field means."""

from typing import Any

from evcharging.gateway.ocppj.normalise import ABSENT

ALIASES = {
    ("errorCode", "error"): "OtherError",  # Legrand
    ("errorCode", "other"): "OtherError",
    ("errorCode", "none"): "NoError",
    ("errorCode", "no error"): "NoError",
    ("errorCode", ""): "NoError",
    ("errorCode", "mode3error"): "OtherError",  # OCPP 1.5
    ("errorCode", "overvoltagefailure"): "OverVoltage",
    ("errorCode", "undervoltagefailure"): "UnderVoltage",
    ("errorCode", "overcurrent"): "OverCurrentFailure",
    ("status", "occupied"): "Preparing",  # OCPP 1.5
    ("status", "suspendedevese"): "SuspendedEVSE",
    ("status", "suspended"): "SuspendedEV",
    ("status", "idle"): "Available",
    ("status", "fault"): "Faulted",
    ("status", "error"): "Faulted",
    ("unit", "celcius"): "Celcius",
    ("unit", "hz"): "Hertz",
    ("unit", "hertz"): "Hertz",  # StopTransaction's schema does not list it
    ("unit", "c"): "Celsius",
    ("unit", "°c"): "Celsius",
    ("unit", "%"): "Percent",
    ("unit", "volt"): "V",
    ("unit", "amp"): "A",
    ("unit", "amps"): "A",
    ("unit", "ampere"): "A",
    ("unit", "watt"): "W",
    ("unit", "watts"): "W",
    ("measurand", "stateofcharge"): "SoC",
    ("measurand", "power"): "Power.Active.Import",
    ("measurand", "current"): "Current.Import",
    ("measurand", "energy"): "Energy.Active.Import.Register",
    ("phase", "l1n"): "L1-N",
    ("phase", "l2n"): "L2-N",
    ("phase", "l3n"): "L3-N",
    ("phase", "1"): "L1",
    ("phase", "2"): "L2",
    ("phase", "3"): "L3",
    ("context", "periodic"): "Sample.Periodic",
    ("reason", "evdisconnect"): "EVDisconnected",
    ("reason", "deauthorised"): "DeAuthorized",
    ("reason", "remotestop"): "Remote",
}
"""(field, folded word) → the specification's word (`Celcius` and `Celsius` are both its words)."""

CATCH_ALL = {"errorCode": "OtherError", "reason": "Other"}
"""Fields whose list has a word for everything else; the charger's own word stays in the deviation and the payload."""

OPEN_VOCABULARIES = frozenset({"measurand", "unit", "phase", "location", "context", "format", "status"})
"""Fields where an own word is worth more than none: it is kept as it is."""

MISSING: dict[tuple[str, str], Any] = {
    ("Authorize", "idTag"): "",
    ("BootNotification", "chargePointModel"): "",
    ("BootNotification", "chargePointVendor"): "",  # Huawei
    ("DataTransfer", "vendorId"): "",
    ("MeterValues", "connectorId"): 0,
    ("MeterValues", "meterValue"): [],
    ("SecurityEventNotification", "type"): "",
    ("SecurityEventNotification", "timestamp"): ABSENT,
    ("StartTransaction", "connectorId"): 0,
    ("StartTransaction", "idTag"): "",
    ("StartTransaction", "meterStart"): ABSENT,  # Huawei
    ("StartTransaction", "timestamp"): ABSENT,
    ("StatusNotification", "connectorId"): 0,
    ("StatusNotification", "errorCode"): "NoError",
    ("StopTransaction", "meterStop"): ABSENT,
    ("StopTransaction", "timestamp"): ABSENT,
    ("StopTransaction", "transactionId"): ABSENT,
    # Inside meterValue[] and transactionData[]:
    ("MeterValues", "meterValue[].timestamp"): ABSENT,
    ("MeterValues", "meterValue[].sampledValue"): [],
    ("MeterValues", "meterValue[].sampledValue[].value"): "",
    ("StopTransaction", "transactionData[].timestamp"): ABSENT,
    ("StopTransaction", "transactionData[].sampledValue"): [],
    ("StopTransaction", "transactionData[].sampledValue[].value"): "",
}
"""(action, path) of required fields whose absence means something; any other missing field cannot be understood."""
