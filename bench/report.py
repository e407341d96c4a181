"""The results as tables of Markdown, for the terminal and for docs/performance.md."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.goals import Sections, judged

RESULTS = Path(__file__).resolve().parent / "results" / "latest.json"


def load() -> dict[str, Any]:
    """Return what is kept of the latest runs: section → its time and what it found."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def keep(found: Sections, at: str, machine: str) -> None:
    """Keep sections beside those that other runs have left."""
    kept = load()
    for name, section in found.items():
        kept[name] = {"at": at, "machine": machine, "found": section}
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(kept, indent=1))


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_text(cell) for cell in line) + " |" for line in lines)


def _text(cell: object) -> str:
    if cell is None:
        return "not measured"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 100 else f"{cell:.3g}"
    return str(cell)


def render(kept: dict[str, Any]) -> str:
    """Return all that is kept, as one page."""
    sections = {name: kept[name]["found"] for name in kept}
    parts = [goals_table(sections)]
    titles = {
        "cells": "Messages", "servers": "WebSocket servers", "server_memory": "Memory of a WebSocket",
        "latency": "Open loop at half the peak rate", "stages": "CPU of a message by stage",
        "memory": "Memory", "storms": "Storms", "commands": "Commands", "restarts": "Restarts under load",
        "storage": "Storage", "not_available": "Not available",
    }  # fmt: skip
    for name, title in titles.items():
        if name in kept and sections[name]:
            about = f"{kept[name]['at']}, {kept[name]['machine']}"
            parts.append(f"## {title}\n\n{about}\n\n{_RENDERERS[name](sections[name])}")
    return "\n\n".join(parts) + "\n"


def goals_table(sections: Sections) -> str:
    words = {True: "yes", False: "no", None: "not measured"}
    rows = [
        (each["goal"], f"{each['bound']} {each['unit']}".strip(), each["value"], words[each["is_met"]])
        for each in judged(sections)
        if each["value"] is not None or "cells" in sections
    ]
    return table(("goal", "bound", "measured", "met"), rows)


def _cells(cells: list[dict[str, Any]]) -> str:
    head = ("system", "workload", "stations", "messages/s", "p50 ms", "p99 ms", "server", "postgres", "valkey", "load",
            "faults")  # fmt: skip
    rows = []
    for each in cells:
        cpu = [each["cpu_ms"].get(part, "") for part in ("server", "postgres", "valkey", "generator")]
        latency = each["latency_ms"]
        rows.append(
            (each["system"], each["workload"], each["stations"], each["per_second"], latency["p50"], latency["p99"])
            + (*cpu, len(each["faults"]))
        )
    return f"CPU in milliseconds a message, by process.\n\n{table(head, rows)}"


def _servers(found: list[dict[str, Any]]) -> str:
    head = ("server", "stations", "messages/s", "p99 ms", "CPU µs a message", "messages/s, ours ÷ it",
            "CPU, it ÷ ours", "faults")  # fmt: skip
    names = ("server", "stations", "per_second", "p99_ms", "cpu_us", "rate_ratio", "cpu_ratio")
    rows = [(*(each[name] for name in names), len(each["faults"])) for each in found]
    about = (
        f"An echo of MeterValues; medians of {len(found[0]['rounds'])} rounds, in each of which every server had its "
        "turn. The ratios are medians of those of the rounds."
    )
    return f"{about}\n\n{table(head, rows)}"


def _server_memory(found: list[dict[str, Any]]) -> str:
    rows = [(each["server"], each["stations"], each["idle_kib"], each["active_kib"]) for each in found]
    return table(("server", "connections", "idle KiB", "KiB after messages"), rows)


def _latency(each: dict[str, Any]) -> str:
    values = each["latency_ms"]
    return table(
        ("system", "rate/s", "p50 ms", "p99 ms", "max ms"),
        [(each["system"], each["rate"], values["p50"], values["p99"], values["max"])],
    )


def _stages(actions: dict[str, dict[str, float]]) -> str:
    names = list(dict.fromkeys(name for stages in actions.values() for name in stages))
    rows = [(name, *(actions[action].get(name, "") for action in actions)) for name in names]
    return "Microseconds of CPU in the server process, but for the socket.\n\n" + table(("stage", *actions), rows)


def _memory(found: list[dict[str, Any]]) -> str:
    rows = []
    for each in found:
        for state in ("idle", "active"):
            kib = each[f"{state}_kib_each"]
            rows.append(
                (
                    each["system"],
                    each["stations"],
                    state,
                    *(kib.get(part, "") for part in ("server", "postgres", "valkey", "all")),
                )
            )
    return table(("system", "stations", "state", "server KiB", "postgres KiB", "valkey KiB", "all KiB"), rows)


def _storms(found: list[dict[str, Any]]) -> str:
    head = ("system", "storm", "stations", "served", "refused", "closed", "lost", "all served s", "served p99 ms",
            "ack p99 ms of the others")  # fmt: skip
    rows = []
    for each in found:
        for wave in ("all", "half"):
            of = each[wave]
            rows.append(
                (each["system"], f"{each['stations']}, {wave}", of["expected"], of["served"], of["refused"])
                + (of["closed"], of["lost"], of["seconds"], of["served_ms"]["p99"], of["calm_ack_ms"]["p99"])
            )
    return table(head, rows)


def _restarts(found: list[dict[str, Any]]) -> str:
    head = ("restarted", "away s", "longest gap s", "slowest answer s", "closed", "unanswered", "faults")
    names = ("restarted", "away_s", "longest_gap_s", "slowest_answer_s", "closed", "unanswered")
    return table(head, [(*(each[name] for name in names), len(each["faults"])) for each in found])


def _commands(found: dict[str, Any]) -> str:
    batch, singly = found["batch"], found["singly"]
    rows = [
        ("GetConfiguration, one batch", batch["asked"], batch["answered"], batch["seconds"])
        + (batch["answer_ms"]["p50"], batch["answer_ms"]["p99"]),
        (f"ClearCache, one by one, {singly['connected']} connected", singly["asked"], singly["answered"], "")
        + (singly["took_ms"]["p50"], singly["took_ms"]["p99"]),
    ]
    text = table(("commands", "asked", "answered", "seconds", "p50 ms", "p99 ms"), rows)
    return (
        f"On {found['system']}; milliseconds of the batch from CALL to answer, of the others from request to recorded "
        f"answer. The batch took the servers from {batch['server_mib_before']} to {batch['server_mib_peak']} MiB.\n\n"
        + text
    )


def _storage(found: list[dict[str, Any]]) -> str:
    parts = []
    for each in found:
        size, dense = each["bytes_per_row"], each["bytes_reindexed"]
        parts.append(
            f"{each['database']}: {each['rows']:,} samples of {each['stations']:,} stations in a month; copied in "
            f"{each['copy_s']} s, rolled up in {each['rollup_s']} s; bytes a sample: table {size['table']}, indexes "
            f"{size['indexes']}, all {size['all']}; after reindex_samples ({each['reindex_s']} s) {dense['all']}."
        )
        first = "cold ms" if each["is_cold"] else "first ms"
        rows = [(of["question"], of["statements"], of["cold_ms"], of["warm_ms"]) for of in each["questions"]]
        parts.append(table(("question", "statements", first, "warm ms"), rows))
    return "\n\n".join(parts)


def _not_available(found: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {why}" for name, why in found.items())


_RENDERERS: dict[str, Any] = {
    "cells": _cells, "servers": _servers, "server_memory": _server_memory, "latency": _latency, "stages": _stages,
    "memory": _memory, "storms": _storms,
    "restarts": _restarts, "commands": _commands, "storage": _storage, "not_available": _not_available,
}  # fmt: skip
