"""The event loop under Daphne and Twisted: uvloop's, which takes less CPU for a message than asyncio's own.

Imported before anything of Daphne's: its server installs Twisted's reactor, on the loop of the policy, when imported.
"""

import asyncio

import uvloop

asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
try:
    from daphne.server import twisted_loop
finally:
    asyncio.set_event_loop_policy(None)  # the tests, the simulator and commands choose for themselves

__all__ = ["twisted_loop"]
