"""The two formats of a log line, JSON and text, both with the `extra` fields: station, action, unique_id, latency_ms …

Both mask id tags and escape control characters, so that text of a charger can neither break a line nor control a
terminal.
"""

import logging
from datetime import UTC, datetime
from typing import Any

from pythonjsonlogger.orjson import OrjsonFormatter

from evcharging.logs.masking import mask_id_tags

_COLOURED = "color_message"  # of uvicorn: the message again, with colours
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", _COLOURED}
_CONTROLS = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {ord("\n"): "\\n"}
_CONTROLS_BUT_NEWLINE = {code: text for code, text in _CONTROLS.items() if code != ord("\n")}


class JsonLines(OrjsonFormatter):
    """One JSON object per line: time, pid, level, logger, message, the extra fields, and exc_info of an exception."""

    def __init__(self) -> None:
        super().__init__(
            "%(process)d%(levelname)s%(name)s%(message)s",
            rename_fields={"process": "pid", "levelname": "level", "name": "logger"},
            timestamp="time",
        )

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """Mask before serialisation: in JSON, a truncated tag would match to the end of the line."""
        log_data.pop(_COLOURED, None)
        return {key: mask_id_tags(value) if isinstance(value, str) else value for key, value in log_data.items()}


class TextLines(logging.Formatter):
    """`12:34:56.789 4711 WARNING evcharging.gateway.consumers: message key=value`, where 4711 is the process id; the
    traceback of an exception follows."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        message = record.getMessage()
        extras = "".join(f" {key}={value}" for key, value in vars(record).items() if key not in _STANDARD)
        line = f"{at} {record.process} {record.levelname:<7} {record.name}: {message}{extras}".translate(_CONTROLS)
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info).translate(_CONTROLS_BUT_NEWLINE)
        return mask_id_tags(line)
