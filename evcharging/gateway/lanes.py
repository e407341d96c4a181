"""The batch queues into the services that are bound by volume, one per kind of message."""

from evcharging.gateway.database.group_commit import Lane
from meter.services.readings import MeterMessage, record_readings
from stations.services.calls import CallOutcome, Claim, ClaimedCommand, claim_commands, record_outcomes
from stations.services.connection import Admission, Attempt, Leave, connect_known_stations, disconnect_stations
from stations.services.reports import BootAnswer, BootMessage, record_boots
from status_notifications.services.statuses import StatusMessage, record_statuses
from transactions.services.batched_starts import record_starts
from transactions.services.batched_stops import record_stops
from transactions.types import StartAnswer, StartMessage, StopAnswer, StopMessage


class Lanes:
    """One lane per service. None from connects, starts and stops: that one is for the service of a single message."""

    def __init__(self) -> None:
        self.connects: Lane[Attempt, Admission | None] = Lane(lambda batch: connect_known_stations(attempts=batch))
        self.leaves: Lane[Leave, bool] = Lane(lambda batch: disconnect_stations(leaves=batch))
        self.boots: Lane[BootMessage, BootAnswer] = Lane(lambda batch: record_boots(messages=batch))
        self.meter_values: Lane[MeterMessage, bool] = Lane(lambda batch: record_readings(messages=batch))
        self.statuses: Lane[StatusMessage, bool] = Lane(lambda batch: record_statuses(messages=batch))
        self.starts: Lane[StartMessage, StartAnswer | None] = Lane(lambda batch: record_starts(messages=batch))
        self.stops: Lane[StopMessage, StopAnswer | None] = Lane(lambda batch: record_stops(messages=batch))
        self.claims: Lane[Claim, ClaimedCommand | None] = Lane(lambda batch: claim_commands(claims=batch))
        self.outcomes: Lane[CallOutcome, bool] = Lane(lambda batch: record_outcomes(outcomes=batch))
