"""The load generator: many chargers in one process, which cost little beside the server they load.

Closed loop: a charger's next message when its answer is in. Open loop: messages are due on a fixed schedule, round
robin; one whose charger still waits for an answer is late, and its latency counts from when it was due. A charger
whose connection is lost comes back, boots, and sends the unanswered message again.
"""

import gc
import json
import resource
import time
from array import array
from collections import deque
from collections.abc import Iterable
from multiprocessing.connection import Connection as Pipe
from typing import Any, NamedTuple

from bench.messages import WORKLOADS, Charger, Clock, Facts, Request, Script, opening
from bench.sockets import NEVER, Connection, Sockets, frame

RESULTS = {
    "GetConfiguration": json.dumps(
        {"configurationKey": [{"key": f"Key{number}", "readonly": False, "value": "300"} for number in range(40)]}
    )
}
"""What a CALL of the server is answered, as JSON; any other is Accepted."""
DRAIN_S = 60.0
"""How long an answer is waited for when no more is sent."""


class Ended(NamedTuple):
    """What one run brought: when each answer came (time.monotonic()), after how many seconds, to which Action."""

    ended_at: "array[float]"
    latencies: "array[float]"
    actions: "array[int]"
    names: list[str]
    unanswered: int
    cpu_s: float


class Station(Connection):
    """A connection with its charger. `request` is the next thing to say, `sent` what waits for its answer."""

    __slots__ = ("action", "charger", "due", "is_served", "late", "opening", "request", "script", "sent", "sequence",
                 "workload")  # fmt: skip

    def __init__(self, number: int, path: bytes, charger: Charger) -> None:
        super().__init__(number, path + charger.identity)
        self.charger = charger
        self.opening: Script | None = None
        self.script: Script | None = None
        self.workload = ""
        self.request: Request | None = None
        self.sent: tuple[bytes, bytes] | None = None
        self.is_served = False
        self.action = 0
        self.due = 0.0
        self.late: deque[float] = deque()
        self.sequence = 0


class Fleet(Sockets):
    """The chargers of this process. Times are time.monotonic(), which all processes of a machine share."""

    def __init__(self, port: int, path: str, chargers: Iterable[tuple[int, Charger]]) -> None:
        super().__init__(port)
        self.stations = [Station(number, path.encode(), charger) for number, charger in chargers]
        self.served_at: list[float] = []
        self.pipe: Pipe | None = None
        self._is_running = self._is_paced = False
        self._action_numbers: dict[bytes, int] = {}
        self._clear()

    # --- What is asked for

    def begin_opening(self, parallel: int) -> None:
        """Connect and boot whoever is not connected, at most `parallel` at a time."""
        self.served_at = []
        self.parallel = parallel
        self.to_connect.extend(each for each in self.stations if each.socket is None)

    def open(self, parallel: int, timeout_s: float) -> list[float]:
        """Connect and boot all; return when each was served, fewer if the time is over."""
        self.begin_opening(parallel)
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline and not all(each.is_served for each in self.stations):
            turns_until = time.monotonic() + 0.05
            while time.monotonic() < turns_until:
                self.turn(0.05)
        return self.served_at

    def drop(self, count: int) -> None:
        """Lose the first `count` connections."""
        for each in self.stations[:count]:
            self.forget(each)
            each.is_served = False

    def run(self, workload: str, stop_at: float, rate: float | None) -> Ended:
        """Load until `stop_at` or until the parent speaks, then wait for what is unanswered.

        A workload goes on where it stopped.
        """
        self._clear()
        cpu_s = time.process_time()
        for each in self.stations:
            if each.workload != workload:
                each.workload = workload
                each.script = WORKLOADS[workload](each.charger)
                each.request = next(each.script)
        self._is_running, self._is_paced = True, rate is not None
        if rate is None:
            now = time.monotonic()
            for each in self.stations:
                if each.is_served:
                    self._say_next(each, now)
            while time.monotonic() < stop_at and not self._is_spoken_to():
                self.turn(0.02)
        else:
            self._pace(rate, stop_at)
        self._is_running = False
        cpu_s = time.process_time() - cpu_s
        deadline = time.monotonic() + DRAIN_S
        while time.monotonic() < deadline and any(each.sent for each in self.stations):
            self.turn(0.05)
        unanswered = sum(each.sent is not None for each in self.stations)
        names = [action.decode() for action in self._action_numbers]
        return Ended(self._ended_at, self._latencies, self._actions, names, unanswered, cpu_s)

    def _pace(self, rate: float, stop_at: float) -> None:
        begun, count, said = time.monotonic(), len(self.stations), 0
        while (now := time.monotonic()) < stop_at and not self._is_spoken_to():
            while (due := begun + said / rate) <= now:
                each = self.stations[said % count]
                said += 1
                if each.sent is None and each.is_served:
                    self._say_next(each, due)
                else:
                    each.late.append(due)
            self.turn(max(0.0, min(due, stop_at) - time.monotonic()))
        for each in self.stations:
            each.late.clear()

    def _is_spoken_to(self) -> bool:
        return self.pipe is not None and self.pipe.poll()

    def _clear(self) -> None:
        self._ended_at, self._latencies, self._actions = array("d"), array("d"), array("B")

    # --- What the sockets tell

    def upgraded(self, each: Connection) -> None:
        assert isinstance(each, Station)
        each.opening = opening(each.charger)
        self._say(each, next(each.opening))

    def lost(self, each: Connection, why: str) -> None:
        assert isinstance(each, Station)
        if not each.is_served:
            self.opening_now -= 1
        each.is_served = False
        super().lost(each, why)

    def answered(self, each: Connection, text: bytes, now: float) -> None:
        assert isinstance(each, Station)
        if each.opening is not None:
            self._opening_answered(each, text, now)
            return
        assert each.script is not None
        self._ended_at.append(now)
        self._latencies.append(now - each.due)
        self._actions.append(each.action)
        each.sent = None
        each.request = each.script.send(text)
        if self._is_running:
            if not self._is_paced:
                self._say_next(each, now)
            elif each.late:
                self._say_next(each, each.late.popleft())

    def _opening_answered(self, each: Station, text: bytes, now: float) -> None:
        assert each.opening is not None
        try:
            self._say(each, each.opening.send(text))
        except StopIteration:
            each.opening = None
            each.is_served = True
            self.opening_now -= 1
            self.served_at.append(now)
            if each.sent is not None:
                each.want, data = each.sent
                each.send(data)
            elif self._is_running and not self._is_paced:
                self._say_next(each, now)

    def other_text(self, each: Connection, text: bytes) -> None:
        """Answer a CALL of the server; count an error; read an answer that is spaced unusually."""
        assert isinstance(each, Station)
        message = json.loads(text)
        if message[0] == 2:
            result = RESULTS.get(message[2], '{"status":"Accepted"}')
            each.send(frame(f'[3,"{message[1]}",{result}]'.encode()))
        elif message[0] == 3 and each.want.endswith(b'"%b"' % message[1].encode()):
            each.want = NEVER
            self.answered(each, text, time.monotonic())
        else:
            self.counts[f"CALLERROR {message[2]}" if message[0] == 4 else "unexpected answer"] += 1

    # --- Saying

    def _say_next(self, each: Station, due: float) -> None:
        assert each.request is not None
        each.due = due
        each.action = self._action_numbers.setdefault(each.request[0], len(self._action_numbers))
        each.sent = self._say(each, each.request)

    def _say(self, each: Station, request: Request) -> tuple[bytes, bytes]:
        each.sequence = sequence = each.sequence + 1
        data = frame(b'[2,"%08x","%b",%b]' % (sequence, *request))
        each.want = b'[3,"%08x"' % sequence
        each.send(data)
        return each.want, data


def work(pipe: Pipe, port: int, path: str, prefix: str, numbers: range) -> None:
    """The life of a load process: do what comes through the pipe, and serve the connections in between."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    # Minutes ago: nothing is in the future however much is said, and nothing is late for the roll-ups.
    clock = Clock(time.time() - 900)
    fleet = Fleet(port, path, [(number, Charger(f"{prefix}{number:05d}", clock)) for number in numbers])
    fleet.pipe = pipe
    fleet.watch(pipe.fileno())
    gc.freeze()
    gc.disable()
    while True:
        while not pipe.poll():
            fleet.turn(1.0)
        name, arguments = pipe.recv()
        if name == "close":
            fleet.close()
            return
        if name == "stop":  # it has stopped a run
            continue
        pipe.send(_COMMANDS[name](fleet, *arguments))


def _facts(fleet: Fleet) -> tuple[list[Facts], dict[str, int]]:
    return [each.charger.facts for each in fleet.stations], dict(fleet.counts)


_COMMANDS: dict[str, Any] = {"open": Fleet.open, "run": Fleet.run, "drop": Fleet.drop, "facts": _facts}
