"""What a charger says: payloads as bytes from templates, and scripts of them; pure.

A script is a generator: it yields an Action and its payload, and is resumed with the answer's text once that is in. A
charger never says the same thing twice (its clock and its register go on), so what was answered can be counted in the
database afterwards: `Facts`.
"""

import json
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field

Request = tuple[bytes, bytes]
Script = Generator[Request, bytes, None]

SAMPLES = 4
"""Samples of one MeterValues."""

_METER = (
    b'{"connectorId":1,%b"meterValue":[{"timestamp":"%b","sampledValue":['
    b'{"value":"%d","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","location":"Outlet",'
    b'"unit":"Wh"},'
    b'{"value":"7%03d.%d","context":"Sample.Periodic","measurand":"Power.Active.Import","location":"Outlet",'
    b'"unit":"W"},'
    b'{"value":"31.%d","context":"Sample.Periodic","measurand":"Current.Import","phase":"L1","location":"Outlet",'
    b'"unit":"A"},'
    b'{"value":"23%d.%d","context":"Sample.Periodic","measurand":"Voltage","phase":"L1-N","location":"Outlet",'
    b'"unit":"V"}]}]}'
)
_STATUS = b'{"connectorId":%d,"errorCode":"NoError","status":"%b","timestamp":"%b"}'
_START = b'{"connectorId":1,"idTag":"%b","meterStart":%d,"timestamp":"%b"}'
_STOP = b'{"transactionId":%d,"idTag":"%b","meterStop":%d,"timestamp":"%b","reason":"Local"}'
_BOOT = (
    b'{"chargePointVendor":"Bench","chargePointModel":"B-1","chargePointSerialNumber":"%b","firmwareVersion":"1.0.0"}'
)


class Clock:
    """Instants of the hour that begins at `since` (epoch seconds), as OCPP writes them, by the millisecond."""

    def __init__(self, since: float) -> None:
        instants = (time.gmtime(since + second) for second in range(3600))
        self._seconds = [time.strftime("%Y-%m-%dT%H:%M:%S.", instant).encode() for instant in instants]

    def text(self, millisecond: int) -> bytes:
        return b"%b%03dZ" % (self._seconds[millisecond // 1000], millisecond % 1000)


@dataclass
class Facts:
    """What the server has acknowledged to one charger, and must therefore have stored.

    `register_sum` adds up the energy registers of the acknowledged MeterValues; a transaction is [id, meter_start,
    meter_stop], the last None while its stop is not acknowledged.
    """

    identity: str
    boots: int = 0
    statuses: int = 0
    meters: int = 0
    register_sum: int = 0
    transactions: list[list[int | None]] = field(default_factory=list)


class Charger:
    """One charger's memory: its clock, its register, and what it was answered."""

    def __init__(self, identity: str, clock: Clock) -> None:
        self.identity = identity.encode()
        self.facts = Facts(identity)
        self.register = 100_000
        self._clock = clock
        self._millisecond = 0

    def now(self) -> bytes:
        """Return an instant later than any before."""
        self._millisecond += 1
        return self._clock.text(self._millisecond)

    # Single messages: told, and counted once answered

    def boot(self) -> Script:
        yield b"BootNotification", _BOOT % self.identity
        self.facts.boots += 1

    def status(self, connector_id: int, status: bytes) -> Script:
        yield b"StatusNotification", _STATUS % (connector_id, status, self.now())
        self.facts.statuses += 1

    def heartbeat(self) -> Script:
        yield b"Heartbeat", b"{}"

    def authorize(self) -> Script:
        yield b"Authorize", b'{"idTag":"%b"}' % self.identity

    def meter(self, transaction: bytes = b"") -> Script:
        """Yield a MeterValues of 4 samples; `transaction` is `"transactionId":…,` or nothing."""
        self.register = register = self.register + 1
        last = 1 + register % 9  # no number ends in a nought
        yield (
            b"MeterValues",
            _METER % (transaction, self.now(), register, register % 1000, last, last, register % 10, last),
        )
        self.facts.meters += 1
        self.facts.register_sum += register

    def start(self) -> Generator[Request, bytes, int]:
        """Yield a StartTransaction; return the id it was given."""
        meter_start = self.register
        answer = yield b"StartTransaction", _START % (self.identity, meter_start, self.now())
        transaction_id: int = json.loads(answer)[2]["transactionId"]
        self.facts.transactions.append([transaction_id, meter_start, None])
        return transaction_id

    def stop(self, transaction_id: int) -> Script:
        self.register += 40
        meter_stop = self.register
        yield b"StopTransaction", _STOP % (transaction_id, self.identity, meter_stop, self.now())
        self.facts.transactions[-1][2] = meter_stop


def opening(charger: Charger) -> Script:
    """What a charger says when it has connected: it has booted, and how it and its connector are."""
    yield from charger.boot()
    yield from charger.status(0, b"Available")
    yield from charger.status(1, b"Available")


def meter(charger: Charger) -> Script:
    while True:
        yield from charger.meter()


def meter_in_transaction(charger: Charger) -> Script:
    transaction = b'"transactionId":%d,' % (yield from charger.start())
    while True:
        yield from charger.meter(transaction)


def start_stop(charger: Charger) -> Script:
    while True:
        yield from charger.stop((yield from charger.start()))


def status(charger: Charger) -> Script:
    while True:
        yield from charger.status(1, b"Preparing")
        yield from charger.status(1, b"Available")


def heartbeat(charger: Charger) -> Script:
    while True:
        yield from charger.heartbeat()


def mix(charger: Charger) -> Script:
    """A day in short: of 34 messages 20 are MeterValues of one session, 5 statuses, 6 heartbeats."""
    while True:
        yield from charger.status(1, b"Preparing")
        yield from charger.authorize()
        transaction_id = yield from charger.start()
        yield from charger.status(1, b"Charging")
        transaction = b'"transactionId":%d,' % transaction_id
        for index in range(20):
            yield from charger.meter(transaction)
            if index % 5 == 4:
                yield from charger.heartbeat()
        yield from charger.status(1, b"SuspendedEV")
        yield from charger.stop(transaction_id)
        yield from charger.status(1, b"Finishing")
        yield from charger.status(1, b"Available")
        yield from charger.heartbeat()
        yield from charger.heartbeat()


WORKLOADS: dict[str, Callable[[Charger], Script]] = {
    "MeterValues": meter,
    "MeterValues in a transaction": meter_in_transaction,
    "Start+Stop": start_stop,
    "StatusNotification": status,
    "Heartbeat": heartbeat,
    "mix": mix,
}
