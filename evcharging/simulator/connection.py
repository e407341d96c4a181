"""A station's connection as the rest of the simulator uses it, and the ways in which a CALL fails."""

from typing import Any, Protocol


class Connection(Protocol):
    """One open OCPP connection; `charge_point.ChargePoint` implements it."""

    async def send_call(self, payload: Any) -> Any:
        """Send a CALL and return the payload of its CALLRESULT.

        :raises Offline: :raises CallFailed:
        """

    async def boot(self) -> None:
        """Send a BootNotification and apply its answer to the station.

        :raises NotAccepted: :raises Offline: :raises CallFailed:
        """

    async def close(self) -> None:
        """Close the WebSocket; the station opens the next one."""


class Offline(Exception):
    """No connection is open, or it closed before the answer arrived."""


class CallFailed(Exception):
    """A CALL got a CALLERROR, an answer that violates its schema, or no answer in time."""


class NotAccepted(Exception):
    """The BootNotification was answered Pending or Rejected; repeat it after `interval_s`."""

    def __init__(self, status: str, interval_s: int) -> None:
        super().__init__(f"BootNotification was answered {status}")
        self.interval_s = interval_s
