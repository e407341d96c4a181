"""Twisted's reactor on uvloop's event loop, which takes less CPU per message than asyncio's own.

Import this before anything of Daphne's: `daphne.server` installs the reactor when it is imported, on the event loop of
the current policy.
"""

import asyncio

import uvloop

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
try:
    from daphne.server import twisted_loop
finally:
    asyncio.set_event_loop_policy(None)  # other event loops of this process are their creator's choice

__all__ = ["twisted_loop"]
