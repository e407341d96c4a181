"""How a CALL can end other than with an answer that is of use."""


class Offline(Exception):
    """There is no connection, or it ended before the answer came."""


class Refused(Exception):
    """A CALL got a CALLERROR, an answer that breaks the schema, or none in time."""


class NotAccepted(Exception):
    """The BootNotification was answered Pending or Rejected, and is to be repeated after some seconds."""

    def __init__(self, status: str, interval_s: int) -> None:
        super().__init__(f"BootNotification was answered {status}")
        self.interval_s = interval_s
