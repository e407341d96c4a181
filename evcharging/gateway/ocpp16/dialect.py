"""OCPP 1.6J as a connection speaks it: everything that is the version's own, in one object."""

from evcharging import ocpp16_schemas as schemas
from evcharging.gateway.dialect import Dialect
from evcharging.gateway.ocpp16.handlers import HANDLERS
from evcharging.gateway.ocpp16.operations import OCPP16_OPERATIONS
from evcharging.gateway.ocpp16.receive import receive
from evcharging.gateway.ocppj import frames
from evcharging.gateway.ocppj.error_codes import OCPP16_CODES

OCPP16 = Dialect(
    operations=OCPP16_OPERATIONS,
    aliases=("ocpp1.6j", "ocpp1.6-j", "ocpp16", "ocpp1.6json"),
    handlers=HANDLERS,
    early_actions=frozenset({"BootNotification"}),
    transaction_actions=frozenset({"StartTransaction", "StopTransaction", "MeterValues"}),
    codes=OCPP16_CODES,
    parse=frames.parse,
    is_known=schemas.is_known,
    receive=receive,
    response_error=schemas.response_error,
    status_words=schemas.status_words,
    commands=schemas.CSMS_INITIATED,
)
