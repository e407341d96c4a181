"""The end of a gateway whose sockets are closed: what it counted is written, its connections are given back."""

import asyncio
import logging
import threading

from evcharging.gateway.database.thread_pool import close_pool
from evcharging.gateway.process import stop_gateway_process

logger = logging.getLogger(__name__)

#: How long each step may take: a database that hangs must not keep the process.
STEP_S = 10.0


async def stop_gateway() -> None:
    """Write what is still counted and close the connections; a thread that hangs loses its when PostgreSQL stops."""
    try:
        await asyncio.wait_for(stop_gateway_process(), STEP_S)
    except Exception:
        logger.exception("the gateway did not stop in order")
    closing = threading.Thread(target=close_pool, daemon=True)
    closing.start()
    await asyncio.to_thread(closing.join, STEP_S)
