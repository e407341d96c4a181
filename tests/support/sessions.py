"""A transaction started over a real socket, and what is stored of it."""

import re
from datetime import UTC, datetime
from typing import Any

from connectors.models import Connector
from meter.models import MeterValue
from stations.models import Station
from tests.support.charger import Charger
from tests.support.payloads import start
from transactions.models import Transaction

ACCEPTED = {"status": "Accepted"}


def started(charger: Charger, id_tag: str, **fields: Any) -> int:
    """Start a transaction whose tag is accepted and return its id."""
    answer = charger.result("StartTransaction", start(id_tag, **fields))
    assert answer == {"transactionId": answer["transactionId"], "idTagInfo": ACCEPTED}
    assert type(answer["transactionId"]) is int
    assert 0 < answer["transactionId"] < 2**31
    return int(answer["transactionId"])


def stored(transaction_id: int) -> Transaction:
    return Transaction.objects.get(transaction_id=transaction_id)


def connector_of(station: Station, connector_id: int = 1) -> tuple[str, str, str]:
    """Return status, error code and vendor error code of a connector."""
    connector = Connector.objects.get(station=station, connector_id=connector_id)
    return connector.status, connector.error_code, connector.vendor_error_code


def samples_of(station: Station) -> list[tuple[float | None, str, int | None]]:
    """Return value, context and transaction id of a station's samples, in order of time."""
    rows = MeterValue.objects.filter(series__station=station).order_by("effective_at", "value")
    return list(rows.values_list("value", "series__context", "transaction__transaction_id"))


def current_time(answer: dict[str, Any]) -> datetime:
    """Return an answer's currentTime, which must be UTC with a Z."""
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer["currentTime"])
    return datetime.fromisoformat(answer["currentTime"])


def assert_is_now(at: datetime) -> None:
    assert abs((at - datetime.now(UTC)).total_seconds()) <= 1
