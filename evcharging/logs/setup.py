"""Logging to stdout, one event per line: JSON, or text where stdout is a terminal."""

import sys
from typing import Any


def logging_configuration(*, output: str, level: str) -> dict[str, Any]:
    """Return LOGGING. `output` is json, text or auto: text if stdout is a terminal, else JSON."""
    if output == "auto":
        output = "text" if sys.stdout.isatty() else "json"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": "evcharging.logs.formatters.JsonLines",
            },
            "text": {
                "()": "evcharging.logs.formatters.TextLines",
            },
        },
        "handlers": {
            "stdout": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout", "formatter": output},
        },
        "root": {"handlers": ["stdout"], "level": level},
        "loggers": {
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {"handlers": [], "level": level, "propagate": True},
            # Under uvicorn: its own handlers do not write JSON; its access log has a line per request.
            "uvicorn": {"handlers": [], "level": level, "propagate": True},
            "uvicorn.access": {"handlers": [], "level": "WARNING", "propagate": True},
            # At INFO and below they log their sockets.
            "daphne": {"level": "WARNING"},
            "twisted": {"level": "WARNING"},
        },
    }
