"""The two shapes of a log line. Both show what is passed as `extra`: station, action, unique_id, latency_ms …"""

import logging
from datetime import UTC, datetime

from pythonjsonlogger.orjson import OrjsonFormatter

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonLines(OrjsonFormatter):
    """One JSON object a line: time, level, logger, message, the extras, and exc_info where there is one."""

    def __init__(self) -> None:
        super().__init__(
            "%(levelname)s%(name)s%(message)s",
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp="time",
        )


class TextLines(logging.Formatter):
    """`12:34:56.789 WARNING evcharging.gateway.consumers: message key=value`, then a traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S.%f")[:-3]
        message = record.getMessage().replace("\n", "\\n")
        extras = "".join(f" {key}={value}" for key, value in vars(record).items() if key not in _STANDARD)
        line = f"{at} {record.levelname:<7} {record.name}: {message}{extras}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        return line
