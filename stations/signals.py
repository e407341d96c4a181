"""What happens to stations."""

from django.dispatch import Signal

station_changed = Signal()
"""Staff changed what a connection needs to know (status, zone, password, pings …).

Way: publish. Arguments: `station_id: int`. Not sent for what a station reports itself.
"""
