"""What happens to stations."""

from django.dispatch import Signal

station_changed = Signal()
"""Staff changed what a connection needs to know (status, zone, password, pings …).

Way: publish. Arguments: `station_id: int`. Not sent for what a station reports itself.
"""

command_requested = Signal()
"""A command is about to be queued: whose matter it is checks its own rules and writes what it must keep of it.

Way: emit. Arguments: `command: Command` (stored, still to be sent). A receiver refuses it by raising
`stations.services.CommandRefused`. Not sent for a command to a station that is not connected and is not waited for.
"""

commands_queued = Signal()
"""Commands wait for their stations' sockets: whoever holds them may send.

Way: publish, once per request however many stations. Arguments: `station_ids: list[int]`.
"""

command_ended = Signal()
"""A command got its answer, an error, or none in time.

Way: emit, inside the database transaction that records the end. Arguments: `command: Command`, `now: datetime`. Not
sent for late answers, which change nothing.
"""
