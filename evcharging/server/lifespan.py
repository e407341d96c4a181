"""The ASGI lifespan protocol: how the application starts and stops under another server, such as uvicorn."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings

from evcharging.server import gc_tuning, health
from evcharging.server.startup import FirstAdmin, Start

logger = logging.getLogger(__name__)


class Lifespan:
    """Prepares the database in a thread while the port is open, as `manage.py serve` does, and stops in order.

    :param stop_gateway: stops the gateway of this process, after its sockets were closed.
    """

    def __init__(self, *, stop_gateway: Callable[[], Awaitable[None]]) -> None:
        self._stop_gateway = stop_gateway

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()  # lifespan.startup
        start = Start(on_ready=_ready, on_failure=_end_process)
        start.begin()
        # At once: waiting for the database would keep the port closed, and /healthz with it.
        await send({"type": "lifespan.startup.complete"})
        await receive()  # lifespan.shutdown
        await asyncio.to_thread(start.abandon)
        if start.failure:
            logger.error("ended: %s", start.failure)
        await self._stop_gateway()
        await asyncio.to_thread(settings.EMBEDDED_SERVERS.release)
        logger.info("stopped")
        await send({"type": "lifespan.shutdown.complete"})


def _ready(admin: FirstAdmin | None) -> None:
    gc_tuning.tune_gc()
    health.mark_ready()
    logger.info("ready")
    if admin is not None:
        print(f"\n  {admin.login}\n", file=sys.stderr, flush=True)  # noqa: T201 - stdout is the log


def _end_process() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
