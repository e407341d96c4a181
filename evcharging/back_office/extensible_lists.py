"""Lists to which apps above the listed one add: facts about the rows of a page, and filters."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.core.checks import CheckMessage
from django.http import HttpRequest
from unfold.views import ChangeList

from evcharging.back_office.model_admins import BackOfficeAdmin, BoundedChangeList
from evcharging.back_office.registry import Registry

LoadFact = Callable[[list[Any]], Mapping[int, Any]]
"""Takes the rows of a page, returns the fact by primary key; a constant number of queries."""


class ExtensibleChangeList(BoundedChangeList):
    """Sets each fact as an attribute of its name on the page's rows, None where a row has none.

    Each fact is queried once per page, not once per row.
    """

    model_admin: "ExtensibleListAdmin"

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows = list(self.result_list)
        for name, load in self.model_admin.row_facts.items():
            facts = load(rows)
            for row in rows:
                setattr(row, name, facts.get(row.pk))
        self.result_list = rows


class ExtensibleListAdmin(BackOfficeAdmin):
    """A ModelAdmin whose list shows `row_facts`, and offers `more_filters` after its own."""

    row_facts: ClassVar[Registry[LoadFact]] = Registry(())
    more_filters: ClassVar[Registry[Any]] = Registry(())

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return ExtensibleChangeList

    def get_list_filter(self, request: HttpRequest) -> list[Any]:
        return [*super().get_list_filter(request), *(part for _, part in self.more_filters.items())]

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        registries = (self.row_facts, self.more_filters)
        return [*super().check(**kwargs), *(found for each in registries for found in each.check(type(self)))]
