"""A month of a fleet in the tables, and the questions that pages ask of it; runs beside the database, in Django.

    DATABASE_URL=… REDIS_URL=… DATA_DIR=… python -m bench.stored_month fill ROWS | ask

`fill` writes through COPY what the gateway would have written, in the order of time: each station charges twice a day
for four hours and sends 4 samples a minute meanwhile. `ask` times each question once as it is (cold, where the
database was just started) and again warm. Both print JSON.
"""

import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from struct import Struct
from typing import Any

import django

DAYS = 30
SESSIONS_A_DAY, MINUTES_A_SESSION, SERIES = 2, 240, 4
ROWS_A_STATION = DAYS * SESSIONS_A_DAY * MINUTES_A_SESSION * SERIES
FIRST_TRANSACTION_ID = 1_000_000  # seven digits: rows of one length
COPY = (
    "COPY meter_values (effective_at, value, series_id, transaction_id, transaction_ref, raw)"
    " FROM STDIN (FORMAT BINARY)"
)
# Field count, then length and value of each field: time, value, series, transaction, reported id, no raw text.
_ROW = Struct("!hiqidiiiii7si")
_EPOCH_S = datetime(2000, 1, 1, tzinfo=UTC).timestamp()
WARM_RUNS = 5
MEASURANDS = (
    ("Energy.Active.Import.Register", "", "Wh"), ("Power.Active.Import", "", "W"), ("Current.Import", "L1", "A"),
    ("Voltage", "L1-N", "V"),
)  # fmt: skip


def first_day() -> datetime:
    """The first of the latest month that is over."""
    return (datetime.now(UTC).replace(day=1) - timedelta(days=1)).replace(
        day=1, hour=0, minute=0, second=0, microsecond=0
    )


def session_begin(station: int, session: int) -> int:
    """Return the minute of the day at which a station's session begins."""
    return station * 37 % 240 + 720 * session


def fill(rows: int) -> dict[str, Any]:
    """Create stations, series and transactions with the ORM, then the samples through COPY, in two processes."""
    from connectors.models import Connector
    from meter.models import Series
    from stations.models import Station
    from transactions.models import Closing, Transaction

    count = max(2, round(rows / ROWS_A_STATION))
    began = time.monotonic()
    Station.objects.bulk_create(
        [
            Station(identity=f"STORED{number:05d}", registration_status="Accepted", first_accepted_at=first_day())
            for number in range(count)
        ],
        batch_size=1000,
    )
    stations = list(Station.objects.filter(identity__startswith="STORED").order_by("identity"))
    connectors = Connector.objects.bulk_create([Connector(station=each, connector_id=1) for each in stations])
    series = Series.objects.bulk_create(
        [
            Series(
                station=each, connector_id=1, measurand=measurand, phase=phase, location="Outlet",
                context="Sample.Periodic", format="Raw", unit=unit,
            )
            for each in stations
            for measurand, phase, unit in MEASURANDS
        ],
        batch_size=5000,
    )  # fmt: skip
    month = first_day()
    per_station = DAYS * SESSIONS_A_DAY
    keys: list[int] = []
    for number, (station, connector) in enumerate(zip(stations, connectors, strict=True)):
        made = []
        for session in range(per_station):
            day, of_day = divmod(session, SESSIONS_A_DAY)
            started = month + timedelta(days=day, minutes=session_begin(number, of_day))
            stopped = started + timedelta(minutes=MINUTES_A_SESSION)
            transaction_id = FIRST_TRANSACTION_ID + number * per_station + session
            made.append(
                Transaction(
                    transaction_id=transaction_id, ref=str(transaction_id), station=station,
                    connector=connector, id_tag="BENCH", told_authorization={"status": "Accepted"}, accepted=True,
                    reported_connector_id=1, start_timestamp_raw=started.isoformat(), meter_start_raw=str(session),
                    start_is_credible=True, started_at=started, start_received_at=started, meter_start=Decimal(0),
                    id_seen_at=started, closing=Closing.REPORTED, stopped_at=stopped, stop_received_at=stopped,
                    meter_stop=Decimal(28_000), energy_wh=Decimal(28_000), last_message_at=stopped,
                )
            )  # fmt: skip
        keys += [each.pk for each in Transaction.objects.bulk_create(made)]
    prepared_s = time.monotonic() - began
    began = time.monotonic()
    context = multiprocessing.get_context("spawn")
    ids = [each.pk for each in series]
    workers = [
        context.Process(target=_copy_half, args=(half, count, ids, keys, month.timestamp())) for half in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
        assert worker.exitcode == 0
    return {
        "stations": count,
        "rows": count * ROWS_A_STATION,
        "prepare_s": round(prepared_s, 1),
        "copy_s": round(time.monotonic() - began, 1),
    }


def _copy_half(half: int, count: int, series: list[int], keys: list[int], month_s: float) -> None:
    """Copy every other station's samples, a transaction for each quarter of a day."""
    django.setup()
    from django.db import connection

    connection.ensure_connection()
    for day in range(DAYS):
        for minute in range(0, 1440, 360):
            with connection.connection.cursor() as cursor, cursor.copy(COPY) as copy:
                copy.write(b"PGCOPY\n\xff\r\n\x00" + b"\x00" * 8)
                for chunk in _chunks(range(half, count, 2), day, range(minute, minute + 360), series, keys, month_s):
                    copy.write(chunk)
                copy.write(b"\xff\xff")


def _chunks(
    stations: range, day: int, minutes: range, series: list[int], keys: list[int], month_s: float
) -> Iterator[bytes]:
    pack = _ROW.pack
    for minute in minutes:
        rows = []
        for station in stations:
            session = 1 if minute >= session_begin(station, 1) else 0
            into = minute - session_begin(station, session)
            if not 0 <= into < MINUTES_A_SESSION:
                continue
            number = (station * DAYS + day) * SESSIONS_A_DAY + session
            at = int((month_s - _EPOCH_S + day * 86_400 + minute * 60 + station % 60) * 1_000_000)
            transaction, ref = keys[number], b"%d" % (FIRST_TRANSACTION_ID + number)
            register = (day * SESSIONS_A_DAY + session) * 28_000 + into * 116.5
            for index, value in enumerate((register, 7000.0 + into, 30.0 + into % 7, 229.0 + into % 3)):
                rows.append(pack(6, 8, at, 8, value, 4, series[station * SERIES + index], 4, transaction, 7, ref, 0))
        yield b"".join(rows)


def questions(station: Any) -> dict[str, Callable[[], object]]:
    """What pages ask, of one station."""
    from meter import selectors
    from meter.models import MeterValue
    from meter.rollups import aggregates
    from transactions.models import Transaction

    month = first_day()
    day = (month + timedelta(days=14)).date()
    transaction = Transaction.objects.filter(station=station, started_at__gte=month + timedelta(days=10)).earliest(
        "started_at"
    )
    # The list of samples shows a day unless it is asked for more.
    latest = MeterValue.objects.filter(series__station=station, effective_at__gte=month + timedelta(days=DAYS - 1))
    latest = latest.select_related("series__station", "transaction").order_by("-effective_at", "series_id", "value")
    return {
        "station-day chart": lambda: aggregates.station_day_chart(station, day),
        "station-month energy": lambda: aggregates.station_month_energy(station, month.year, month.month),
        "transaction curve": lambda: selectors.curves(transaction),
        "transaction's table": lambda: selectors.sample_table(transaction, page=1, size=50),
        "a day's latest samples": lambda: list(latest[:100]),
    }


def ask() -> list[dict[str, Any]]:
    """Time the questions, each first of a station nobody has asked of, then again; and explain their statements."""
    from django.db import connection

    from stations.models import Station

    stations = list(Station.objects.filter(identity__startswith="STORED").order_by("identity"))
    found = []
    for index, name in enumerate(questions(stations[0])):
        question = questions(stations[(index * 7 + 1) % len(stations)])[name]
        took = []
        statements: list[tuple[str, Any]] = []
        for run in range(1 + WARM_RUNS):
            into = statements if run == 0 else []
            began = time.perf_counter()
            with connection.execute_wrapper(_collect(into)):
                answer = question()
            took.append((time.perf_counter() - began) * 1000)
        plans = []
        with connection.cursor() as cursor:
            for sql, parameters in statements:
                cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {sql}", parameters)
                plans.append("\n".join(line for (line,) in cursor.fetchall()))
        found.append(
            {
                "question": name,
                "cold_ms": round(took[0], 2),
                "warm_ms": round(statistics.median(took[1:]), 2),
                "statements": len(statements),
                "answer": str(answer)[:400],
                "plans": plans,
            }
        )
    return found


def _collect(into: list[tuple[str, Any]]) -> Callable[..., Any]:
    def wrapper(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.lstrip().upper().startswith(("SELECT", "WITH")):
            into.append((sql, params))
        return execute(sql, params, many, context)

    return wrapper


def main(what: str, *arguments: str) -> None:
    django.setup()
    json.dump(fill(*map(int, arguments)) if what == "fill" else ask(), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
