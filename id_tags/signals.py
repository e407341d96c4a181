"""What happens to id tags."""

from django.dispatch import Signal

id_tags_changed = Signal()
"""Tags or their group were created, changed or removed.

Way: publish. Arguments: `folded: list[str]` the folded tags concerned. Not sent for unknown tags that were presented.
"""
