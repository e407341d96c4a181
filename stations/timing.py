"""Which of a charger's times can be believed, and how far its clock is off."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

EARLIEST = datetime(2015, 1, 1, tzinfo=UTC)
LATEST_AHEAD = timedelta(minutes=5)
MAX_DRIFT_S = 86_400.0


class EffectiveTime(NamedTuple):
    """The time a message counts for: the reported one if credible, else the received one."""

    at: datetime
    is_credible: bool


def effective_time(
    *, reported_at: datetime | None, received_at: datetime, clock_drift_s: float | None
) -> EffectiveTime:
    """Decide the time a message counts for.

    A reported time is credible if it is there, lies between 2015 and five minutes after receipt, and the connection's
    measured clock drift is under a day (an unset clock that starts in 2020 looks credible but for that).
    """
    if (
        reported_at is not None
        and EARLIEST <= reported_at <= received_at + LATEST_AHEAD
        and (clock_drift_s is None or abs(clock_drift_s) < MAX_DRIFT_S)
    ):
        return EffectiveTime(reported_at, True)
    return EffectiveTime(received_at, False)


class ClockDrift:
    """A connection's measured clock drift, seconds; positive where the charger is ahead.

    The drift is the largest (reported - received) seen: a message that waited in the charger's queue only looks older
    than it is, so the youngest one is nearest the truth. Only live messages begin a measurement.
    """

    __slots__ = ("seconds",)

    def __init__(self) -> None:
        self.seconds: float | None = None

    def observe(self, *, reported_at: datetime | None, received_at: datetime, is_live: bool) -> None:
        """Take a message's two times into account.

        :param is_live: the kind of message is sent at once and not queued (StatusNotification), so it may begin.
        """
        if reported_at is None:
            return
        ahead_s = (reported_at - received_at).total_seconds()
        if self.seconds is None:
            # A queued message may be days old; one from the future can only come from a wrong clock.
            if is_live or ahead_s > 0:
                self.seconds = ahead_s
        elif ahead_s > self.seconds:
            self.seconds = ahead_s
