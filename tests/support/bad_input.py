"""What tests of bad input ask of the server and of what it stored."""

import time
from typing import Any

from connectors.models import Connector
from stations.models import Deviation, Station
from tests.support.charger import Charger


def assert_serves(charger: Charger, within_s: float = 1.0) -> None:
    """Nothing else is waiting to be read, and a Heartbeat is answered at once."""
    began = time.monotonic()
    answer = charger.call("Heartbeat", {}, "alive")
    assert answer == [3, "alive", {"currentTime": answer[2]["currentTime"]}]
    assert time.monotonic() - began < within_s


def error_of(answer: Any) -> tuple[Any, str]:
    """Return id and code of a well-formed CALLERROR."""
    kind, unique_id, code, description, details = answer
    assert kind == 4
    assert type(description) is str
    assert len(description) <= 255
    assert details == {}
    return unique_id, code


def deviations_of(station: Station) -> set[tuple[str, str, str]]:
    """Return action, field and rule of what is recorded against a station."""
    return set(Deviation.objects.filter(station=station).values_list("action", "field", "rule"))


def connector_of(station: Station, connector_id: int = 1) -> Connector:
    return Connector.objects.get(station=station, connector_id=connector_id)
