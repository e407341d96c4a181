"""What the central system must know after a sequence of messages, said in plain Python: no database, no locks.

The reference of the property tests. It follows the rules of docs/adr/0002-exactly-once.md and not the services' code.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal

from meter.types import Reading
from transactions.types import StartReport, StopReport

StationKey = int
Key = tuple[int, str, str | None, str | None]


@dataclass
class ModelTransaction:
    """One transaction; the fields mean what the Transaction model's mean."""

    station: StationKey
    transaction_id: int
    key: Key
    connector_id: int
    tag: str
    accepted: bool
    is_credible: bool
    started_at: datetime
    meter_start: Decimal | None
    last_message_at: datetime
    is_seen: bool = False
    closing: str = "open"
    stopped_at: datetime | None = None
    meter_stop: Decimal | None = None
    stop_digest: bytes | None = None
    energy_wh: Decimal | None = None
    register_wh: Decimal | None = None
    register_at: datetime | None = None
    conflicts: set[bytes] = field(default_factory=set)

    def facts(self) -> tuple[object, ...]:
        """Everything that is compared with the stored row."""
        return (
            self.transaction_id,
            self.station,
            self.connector_id,
            self.accepted,
            self.started_at,
            self.meter_start,
            self.closing,
            self.stopped_at,
            self.meter_stop,
            self.energy_wh,
            self.register_wh,
            self.last_message_at,
            self.is_seen,
        )

    def is_running_at(self, instant: datetime) -> bool:
        return self.started_at <= instant and (self.stopped_at is None or self.stopped_at > instant)

    def estimate(self, at: datetime) -> None:
        self.closing, self.stopped_at = "estimated", at

    def end(self, report: StopReport, at: datetime) -> None:
        self.closing, self.stopped_at = "reported", at
        self.meter_stop, self.stop_digest = report.meter_stop, report.content_hash
        if report.meter_stop is not None and self.meter_start is not None:
            self.energy_wh = max(report.meter_stop - self.meter_start, Decimal(0))


@dataclass
class ModelStatus:
    """The latest status of a connector."""

    status: str
    at: datetime


@dataclass
class Model:
    """Every station's transactions, orphans, samples and connector states.

    `limits` holds the folded text of every known tag and how many transactions it may have at once, 0 for any number.
    """

    limits: dict[str, int]
    transactions: list[ModelTransaction] = field(default_factory=list)
    orphan_stops: dict[tuple[StationKey, bytes], int | None] = field(default_factory=dict)
    samples: set[tuple[StationKey, int, datetime, float, str]] = field(default_factory=set)
    statuses: dict[tuple[StationKey, int], ModelStatus] = field(default_factory=dict)

    def of(self, station: StationKey) -> list[ModelTransaction]:
        return [row for row in self.transactions if row.station == station]

    def by_id(self, station: StationKey, transaction_id: int | None) -> ModelTransaction | None:
        return next((row for row in self.of(station) if row.transaction_id == transaction_id), None)

    # StartTransaction

    def resend_of(self, station: StationKey, report: StartReport) -> ModelTransaction | None:
        """Return what a start was stored as already."""
        key = start_key(report)
        return next((row for row in self.of(station) if row.key == key and (row.is_credible or not row.is_seen)), None)

    def start(
        self,
        station: StationKey,
        report: StartReport,
        transaction_id: int,
        received_at: datetime,
        drift_s: float | None,
    ) -> str:
        """Store a new start; return the status its tag is answered with."""
        started_at, is_credible = effective(report.reported_at, received_at, drift_s)
        running = [
            row for row in self.of(station) if row.connector_id == report.connector_id and row.closing == "open"
        ]
        is_older = any(started_at < row.started_at for row in running)
        if not is_older:
            for row in running:
                row.estimate(min(row.register_at or row.started_at, started_at))
        tag = report.id_tag.strip().casefold()
        status = self._status(tag, started_at, received_at)
        new = ModelTransaction(
            station=station,
            transaction_id=transaction_id,
            key=start_key(report),
            connector_id=report.connector_id,
            tag=tag,
            accepted=status == "Accepted",
            is_credible=is_credible,
            started_at=started_at,
            meter_start=report.meter_start,
            energy_wh=None if report.meter_start is None else Decimal(0),
            last_message_at=received_at,
        )
        if is_older:
            new.estimate(started_at)
        self.transactions.append(new)
        return status

    def _status(self, tag: str, started_at: datetime, received_at: datetime) -> str:
        limit = self.limits.get(tag)
        if limit is None:
            return "Invalid"
        silent_since = received_at - timedelta(hours=24)
        others = [
            row
            for row in self.transactions
            if row.accepted
            and row.tag == tag
            and row.is_running_at(started_at)
            and not (row.closing == "open" and row.last_message_at < silent_since)
        ]
        return "ConcurrentTx" if limit and len(others) >= limit else "Accepted"

    # StopTransaction

    def stop(self, station: StationKey, report: StopReport, received_at: datetime, drift_s: float | None) -> None:
        at, _ = effective(report.reported_at, received_at, drift_s)
        row = self.by_id(station, report.transaction_id)
        is_new_content = True
        if row is not None:
            row.is_seen = True
            row.last_message_at = max(row.last_message_at, received_at)
            if row.closing != "reported":
                row.end(report, at)
            elif row.stop_digest != report.content_hash:
                is_new_content = report.content_hash not in row.conflicts
                row.conflicts.add(report.content_hash)
            else:
                is_new_content = False
        elif (station, report.content_hash) in self.orphan_stops:
            is_new_content = False
        else:
            fitting = [candidate for candidate in self.of(station) if fits(candidate, report, at)]
            row = fitting[0] if len(fitting) == 1 else None
            self.orphan_stops[station, report.content_hash] = None if row is None else row.transaction_id
            if row is not None:
                row.last_message_at = max(row.last_message_at, received_at)
                row.end(report, at)
        if is_new_content:
            connector_id = 0 if row is None else row.connector_id
            self._take_samples(
                station, connector_id, report.transaction_ref, report.transaction_data, received_at, drift_s
            )

    # MeterValues

    def readings(
        self,
        station: StationKey,
        connector_id: int,
        transaction_id: int | None,
        transaction_ref: str,
        readings: tuple[Reading, ...],
        received_at: datetime,
        drift_s: float | None,
    ) -> None:
        timed = self._take_samples(station, connector_id, transaction_ref, readings, received_at, drift_s)
        if not transaction_ref:
            return
        row = self.by_id(station, transaction_id)
        if row is not None:
            row.is_seen = True
        else:
            first = min(at for at, _ in timed)
            running = [
                candidate
                for candidate in self.of(station)
                if candidate.connector_id == connector_id
                and candidate.started_at <= first
                and (candidate.stopped_at is None or candidate.stopped_at >= first)
            ]
            if len(running) != 1:
                return
            row = running[0]
        row.last_message_at = max(row.last_message_at, received_at)
        newest_at, newest_wh = max(
            reversed(timed), key=lambda pair: pair[0]
        )  # of equal times, the later in the message
        if row.closing != "reported" and (row.register_at is None or row.register_at <= newest_at):
            # A register is kept to the thousandth of a Wh; the sample itself is kept as it is.
            register_wh = Decimal(str(newest_wh)).quantize(Decimal("0.001"), ROUND_HALF_UP)
            row.register_at, row.register_wh = newest_at, register_wh
            if row.meter_start is not None:
                row.energy_wh = max(register_wh - row.meter_start, Decimal(0))

    def _take_samples(
        self,
        station: StationKey,
        connector_id: int,
        transaction_ref: str,
        readings: tuple[Reading, ...],
        received_at: datetime,
        drift_s: float | None,
    ) -> list[tuple[datetime, float]]:
        timed = []
        for reading in readings:
            assert reading.value is not None
            at, _ = effective(reading.reported_at, received_at, drift_s)
            timed.append((at, reading.value))
            self.samples.add((station, connector_id, at, reading.value, transaction_ref))
        return timed

    # StatusNotification

    def status(
        self,
        station: StationKey,
        connector_id: int,
        status: str,
        reported_at: datetime | None,
        received_at: datetime,
        drift_s: float | None,
    ) -> None:
        at, _ = effective(reported_at, received_at, drift_s)
        known = self.statuses.get((station, connector_id))
        if known is None or known.at <= at:
            self.statuses[station, connector_id] = ModelStatus(status, at)


def start_key(report: StartReport) -> Key:
    return (
        report.connector_id,
        report.id_tag.strip().casefold(),
        report.timestamp_raw,
        report.meter_start_raw,
    )


def effective(reported_at: datetime | None, received_at: datetime, drift_s: float | None) -> tuple[datetime, bool]:
    """Return the time a message counts for, and whether it is the reported one."""
    is_credible = (
        reported_at is not None
        and datetime(2015, 1, 1, tzinfo=UTC) <= reported_at <= received_at + timedelta(minutes=5)
        and (drift_s is None or abs(drift_s) < 86_400)
    )
    return (reported_at, True) if is_credible and reported_at is not None else (received_at, False)


def fits(row: ModelTransaction, report: StopReport, stopped_at: datetime) -> bool:
    """Whether a stop without a usable id may mean this transaction."""
    if row.closing == "reported" or row.started_at > stopped_at:
        return False
    if report.id_tag is not None and report.id_tag.strip().casefold() != row.tag:
        return False
    registers = [value for value in (row.meter_start, row.register_wh) if value is not None]
    return report.meter_stop is None or all(value <= report.meter_stop for value in registers)
