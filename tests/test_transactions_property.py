"""Transactions under anything that chargers repeat, reorder and misreport, against a reference in plain Python."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from connectors.models import Connector
from meter.models import MeterValue
from meter.services.readings import MeterMessage, record_readings
from meter.types import Reading
from stations.types import Received
from status_notifications.services.statuses import StatusMessage, record_statuses
from status_notifications.types import StatusReport
from tests.support.factories import (
    NOON,
    as_sent,
    make_id_tag,
    make_station,
    reading,
    received,
    report_start,
    report_stop,
    start_report,
    stop_report,
)
from tests.support.transaction_model import Model
from transactions.models import OrphanKind, OrphanMessage, StopConflict, Transaction
from transactions.services.closing import close_transaction
from transactions.services.start import ConnectionSuperseded
from transactions.types import StartAnswer, StartMessage, StartReport, StopMessage, StopReport

_examples = itertools.count(1)

BYSTANDER = 1
"""The machine's second station: the same rules happen to it, and the other's messages name its ids."""

TAG_LIMITS = {"one": 1, "two": 2, "any": 0}
TAGS = (*TAG_LIMITS, "nobody")
STATUSES = ("Available", "Preparing", "Charging", "SuspendedEV", "Finishing", "Faulted")
UNSET_CLOCKS = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2000, 1, 1, 0, 5, tzinfo=UTC))
MINUTES = (0, 1, 4, 30, 90, 25 * 60)

meters = st.sampled_from([None, 0, 500, 1000, 1000, 1000.25, 5000, 9000, 9000.125, 2**40, 2**63 - 1])
registers = st.sampled_from([0.0, 500.0, 1000.0, 1500.5, 1500.0625, 5000.0, 9000.0])
unusable_ids = st.sampled_from([(None, "0"), (None, "-1"), (None, "abc"), (None, ""), (2**31 - 1, str(2**31 - 1))])
moments = st.one_of(
    st.sampled_from([("ago", minutes) for minutes in (0, 0, 1, 30, 31, 180)]),
    st.sampled_from(
        [("ahead", 4), ("ahead", 6), ("ahead", 3000), ("unset", 0), ("unset", 1), ("absent", 0), ("junk", 0)]
    ),
)
drifts = st.sampled_from([None, None, 0.0, -3.5, -86_400.0 * 400])


class Machine(RuleBasedStateMachine):
    """Two stations whose chargers send what they like; after every step the rows say what the model says."""

    @initialize(drift=drifts)
    def connect(self, drift: float | None) -> None:
        number = next(_examples)
        self.now = NOON
        self.prefix = f"p{number}-"
        for name, limit in TAG_LIMITS.items():
            make_id_tag(self.prefix + name, max_active_transactions=limit)
        self.model = Model(limits={self.prefix + name: limit for name, limit in TAG_LIMITS.items()})
        self.stations = [make_station(f"{self.prefix}{index}") for index in range(2)]
        self.index_of = {station.pk: index for index, station in enumerate(self.stations)}
        self.drifts: list[float | None] = [drift, None]
        self.starts: list[tuple[int, StartReport, StartAnswer]] = []
        self.stops: list[tuple[int, StopReport]] = []
        self.messages: list[tuple[int, int, int | None, str, tuple[Reading, ...]]] = []
        self.reported: dict[int, tuple[Any, ...]] = {}

    # What chargers do

    @rule(minutes=st.sampled_from(MINUTES))
    def wait(self, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    @rule(at=st.integers(0, 1), drift=drifts)
    def reconnect(self, at: int, drift: float | None) -> None:
        """A new connection owns the station, and measures the charger's clock anew."""
        self.stations[at].connection_epoch += 1
        self.stations[at].save(update_fields=["connection_epoch"])
        self.drifts[at] = drift

    @rule(
        at=st.sampled_from([0, 0, 0, BYSTANDER]),
        connector_id=st.integers(1, 2),
        tag=st.sampled_from(TAGS),
        meter_start=meters,
        moment=moments,
    )
    def start(self, at: int, connector_id: int, tag: str, meter_start: float | None, moment: tuple[str, int]) -> None:
        reported_at, raw = self._moment(moment)
        report = start_report(
            connector_id=connector_id,
            id_tag=self.prefix + tag,
            meter_start=meter_start,
            reported_at=reported_at,
            timestamp_raw=raw,
        )
        self._report_start(at, report)

    @rule(number=st.integers(0, 99), shout=st.booleans())
    def start_again(self, number: int, shout: bool) -> None:
        """The answer was lost, or the frame came twice: the same content, whatever the connection."""
        if self.starts:
            at, report, _ = self.starts[number % len(self.starts)]
            self._report_start(at, report._replace(id_tag=report.id_tag.upper()) if shout else report)

    @rule(
        number=st.integers(0, 99),
        meter_stop=meters,
        moment=moments,
        id_tag=st.sampled_from([None, None, *TAGS]),
        data=st.lists(st.tuples(moments, registers), max_size=2),
    )
    def stop(
        self,
        number: int,
        meter_stop: float | None,
        moment: tuple[str, int],
        id_tag: str | None,
        data: list[tuple[tuple[str, int], float]],
    ) -> None:
        """Of any transaction, stopped already or not, and of the other station's."""
        if self.starts:
            at, _, answer = self.starts[number % len(self.starts)]
            number //= len(self.starts)
            at = 1 - at if number % 8 == 7 else at
            self._report_new_stop(
                at, answer.transaction_id, str(answer.transaction_id), meter_stop, moment, id_tag, data
            )

    @rule(
        name=unusable_ids,
        meter_stop=meters,
        moment=moments,
        id_tag=st.sampled_from([None, *TAGS]),
        data=st.lists(st.tuples(moments, registers), max_size=2),
    )
    def stop_with_unusable_id(
        self,
        name: tuple[int | None, str],
        meter_stop: float | None,
        moment: tuple[str, int],
        id_tag: str | None,
        data: list[tuple[tuple[str, int], float]],
    ) -> None:
        self._report_new_stop(0, *name, meter_stop, moment, id_tag, data)

    @rule(number=st.integers(0, 99))
    def stop_again(self, number: int) -> None:
        if self.stops:
            self._report_stop(*self.stops[number % len(self.stops)])

    @rule(number=st.integers(0, 99), readings=st.lists(st.tuples(moments, registers), min_size=1, max_size=3))
    def meter_values(self, number: int, readings: list[tuple[tuple[str, int], float]]) -> None:
        """Of any transaction: open, superseded, or stopped long ago."""
        if self.starts:
            at, report, answer = self.starts[number % len(self.starts)]
            name = answer.transaction_id, str(answer.transaction_id)
            self._report_readings(at, report.connector_id, *name, self._readings(readings))

    @rule(
        name=unusable_ids,
        connector_id=st.integers(1, 2),
        readings=st.lists(st.tuples(moments, registers), min_size=1, max_size=3),
    )
    def meter_values_with_unusable_id(
        self, name: tuple[int | None, str], connector_id: int, readings: list[tuple[tuple[str, int], float]]
    ) -> None:
        self._report_readings(0, connector_id, *name, self._readings(readings))

    @rule(number=st.integers(0, 99))
    def meter_values_again(self, number: int) -> None:
        if self.messages:
            self._report_readings(*self.messages[number % len(self.messages)])

    @rule(connector_id=st.integers(0, 2), status=st.sampled_from(STATUSES), moment=moments)
    def status(self, connector_id: int, status: str, moment: tuple[str, int]) -> None:
        reported_at, _ = self._moment(moment)
        report = StatusReport(connector_id, status, "NoError", "", "", "", reported_at)
        message = StatusMessage(self._received(0), report)
        assert record_statuses(messages=[message, message]) == [True, True]
        self.model.status(0, connector_id, status, reported_at, self.now, self.drifts[0])

    @rule(connector_id=st.integers(1, 2), ref=st.sampled_from(["", "0"]))
    def frames_of_an_old_connection(self, connector_id: int, ref: str) -> None:
        """They are dropped: no row, and no answer."""
        station = self.stations[0]
        old = received(station, self.now, epoch=station.connection_epoch - 1)
        report = start_report(connector_id=connector_id, id_tag=self.prefix + "any", reported_at=self.now)
        with pytest.raises(ConnectionSuperseded):
            report_start(StartMessage(old, report))
        with pytest.raises(ConnectionSuperseded):
            report_stop(StopMessage(old, stop_report(transaction_ref="0"), {}))
        message = MeterMessage(old, connector_id, None, ref, [reading(7.0)])
        assert record_readings(messages=[message]) == [False]

    @rule(number=st.integers(0, 99))
    def staff_close_one(self, number: int) -> None:
        running = [row for row in self.model.transactions if row.closing == "open"]
        if running:
            row = running[number % len(running)]
            pk = Transaction.objects.get(transaction_id=row.transaction_id).pk
            close_transaction(pk=pk, closed_by="ann", note="", now=self.now)
            row.estimate(min(max(row.register_at or row.started_at, row.started_at), self.now))

    # What must be so

    @invariant()
    def rows_say_what_the_model_says(self) -> None:
        if not hasattr(self, "model"):
            return
        rows = Transaction.objects.filter(station__in=self.index_of).select_related("connector").order_by("pk")
        stored = [self._facts(row) for row in rows]
        assert stored == [row.facts() for row in self.model.transactions]
        assert all(row.energy_wh is None or row.energy_wh >= 0 for row in rows)
        assert max(Counter(row.connector_id for row in rows if row.is_open).values(), default=0) <= 1
        for row in rows:
            if row.closing == "reported":
                end = (
                    row.stopped_at,
                    row.meter_stop,
                    row.stop_digest,
                    row.energy_wh,
                    row.stop_reason,
                    row.stop_id_tag,
                )
                assert self.reported.setdefault(row.pk, end) == end, "a reported stop was overwritten"

    @invariant()
    def everything_else_is_there_once(self) -> None:
        if not hasattr(self, "model"):
            return
        samples = MeterValue.objects.filter(series__station__in=self.index_of)
        assert Counter(
            (self.index_of[pk], *rest)
            for pk, *rest in samples.values_list(
                "series__station", "series__connector_id", "effective_at", "value", "transaction_ref"
            )
        ) == Counter(self.model.samples)
        orphans = OrphanMessage.objects.filter(station__in=self.index_of, kind=OrphanKind.STOP)
        assert {
            (self.index_of[pk], digest.bytes): adopted
            for pk, digest, adopted in orphans.values_list("station", "digest", "transaction__transaction_id")
        } == self.model.orphan_stops
        conflicts = StopConflict.objects.filter(transaction__station__in=self.index_of)
        assert Counter(conflicts.values_list("transaction__transaction_id", "digest")) == Counter(
            (row.transaction_id, UUID(bytes=digest)) for row in self.model.transactions for digest in row.conflicts
        )
        connectors = Connector.objects.filter(station__in=self.index_of).exclude(status_at=None)
        assert {
            (self.index_of[row.station_id], row.connector_id): (row.status, row.status_at) for row in connectors
        } == {key: (known.status, known.at) for key, known in self.model.statuses.items()}

    # How it is sent

    def _moment(self, moment: tuple[str, int]) -> tuple[datetime | None, str | None]:
        kind, amount = moment
        reported_at = {
            "ago": lambda: self.now - timedelta(minutes=amount),
            "ahead": lambda: self.now + timedelta(minutes=amount),
            "unset": lambda: UNSET_CLOCKS[amount],
            "absent": lambda: None,
            "junk": lambda: None,
        }[kind]()
        if reported_at is None:
            return None, None if kind == "absent" else "now"
        return reported_at, reported_at.isoformat()

    def _readings(self, readings: list[tuple[tuple[str, int], float]]) -> tuple[Reading, ...]:
        return tuple(reading(value, reported_at=self._moment(moment)[0]) for moment, value in readings)

    def _received(self, at: int) -> Received:
        return received(self.stations[at], self.now, drift=self.drifts[at])

    def _report_start(self, at: int, report: StartReport) -> None:
        known = self.model.resend_of(at, report)
        before = None if known is None else Transaction.objects.get(transaction_id=known.transaction_id)
        answer = report_start(StartMessage(self._received(at), report))
        if before is not None:
            assert (answer.transaction_id, answer.authorization) == (before.transaction_id, before.told_authorization)
        else:
            assert 1 <= answer.transaction_id < 2**31
            assert self.model.by_id(at, answer.transaction_id) is None
            status = self.model.start(at, report, answer.transaction_id, self.now, self.drifts[at])
            assert answer.authorization == {"status": status}
            self.starts.append((at, report, answer))
        assert answer.is_resend == (before is not None)

    def _report_new_stop(
        self,
        at: int,
        transaction_id: int | None,
        ref: str,
        meter_stop: float | None,
        moment: tuple[str, int],
        id_tag: str | None,
        data: list[tuple[tuple[str, int], float]],
    ) -> None:
        reported_at, raw = self._moment(moment)
        report = stop_report(
            transaction_id=transaction_id,
            transaction_ref=ref,
            id_tag=None if id_tag is None else self.prefix + id_tag,
            meter_stop=meter_stop,
            reported_at=reported_at,
            timestamp_raw=raw,
            transaction_data=self._readings(data),
        )
        self._report_stop(at, report)

    def _report_stop(self, at: int, report: StopReport) -> None:
        answer = report_stop(StopMessage(self._received(at), report, {"meterStop": as_sent(report.meter_stop)}))
        if report.id_tag is None:
            assert answer.authorization is None
        else:
            status = "Accepted" if report.id_tag in self.model.limits else "Invalid"
            assert answer.authorization == {"status": status}
        self.model.stop(at, report, self.now, self.drifts[at])
        self.stops.append((at, report))

    def _report_readings(
        self, at: int, connector_id: int, transaction_id: int | None, ref: str, readings: tuple[Reading, ...]
    ) -> None:
        message = MeterMessage(self._received(at), connector_id, transaction_id, ref, readings)
        assert record_readings(messages=[message]) == [True]
        self.model.readings(at, connector_id, transaction_id, ref, readings, self.now, self.drifts[at])
        self.messages.append((at, connector_id, transaction_id, ref, readings))

    def _facts(self, row: Transaction) -> tuple[object, ...]:
        return (
            row.transaction_id,
            self.index_of[row.station_id],
            row.connector.connector_id,
            row.accepted,
            row.started_at,
            row.meter_start,
            row.closing,
            row.stopped_at,
            row.meter_stop,
            row.energy_wh,
            row.last_register_wh,
            row.last_message_at,
            row.id_seen_at is not None,
        )


@pytest.mark.usefixtures("committed_database")
def test_transactions_under_any_messages_are_what_the_reference_says() -> None:
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=100, stateful_step_count=30, deadline=None, print_blob=True)
    )
