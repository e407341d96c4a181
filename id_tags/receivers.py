"""What id tags do when something happened."""

from datetime import datetime
from typing import Any

from django.core.cache import cache
from django.dispatch import receiver

from id_tags.selectors import cache_key
from id_tags.services.local_lists import apply_local_list_answer, check_local_list
from id_tags.signals import id_tags_changed
from stations.models import Command
from stations.signals import command_ended, command_requested


@receiver(id_tags_changed)
def forget_cached_tags(*, folded: list[str], **kwargs: Any) -> None:
    """Remove changed tags from the cache, so that the next Authorize reads the new state."""
    cache.delete_many([cache_key(text) for text in folded])


@receiver(command_requested)
def check_list_of_command(*, command: Command, **kwargs: Any) -> None:
    """Refuse a local list that breaks the rules."""
    check_local_list(command)


@receiver(command_ended)
def follow_local_list(*, command: Command, now: datetime, **kwargs: Any) -> None:
    """Keep what the station has, and go on with what is on its way."""
    apply_local_list_answer(command=command, now=now)
