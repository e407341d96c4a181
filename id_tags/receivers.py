"""What id tags do when something happened."""

from typing import Any

from django.core.cache import cache
from django.dispatch import receiver

from id_tags.selectors import cache_key
from id_tags.signals import id_tags_changed


@receiver(id_tags_changed)
def forget_cached_tags(*, folded: list[str], **kwargs: Any) -> None:
    """Remove changed tags from the cache, so that the next Authorize reads the new state."""
    cache.delete_many([cache_key(text) for text in folded])
