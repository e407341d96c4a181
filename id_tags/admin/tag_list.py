"""The list of tags: facts about its rows, registered in <app>/admin/tag_panels.py."""

from evcharging.back_office.extensible_lists import LoadFact
from evcharging.back_office.registry import Registry

TAG_FACTS: Registry[LoadFact] = Registry(["open_transaction_count", "last_used_at"])
