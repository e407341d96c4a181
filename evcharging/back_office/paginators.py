"""Paginators of large tables: they count up to a bound, or not at all."""

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property
from unfold.paginator import InfinitePaginator

__all__ = ["BoundedPaginator", "InfinitePaginator"]

MAX_COUNTED = 10_000


class BoundedPaginator(Paginator):
    """Counts and shows MAX_COUNTED rows at most; older ones are reached by a filter."""

    template_name = "back_office/pagination_bounded.html"

    @cached_property
    def _counted(self) -> int:
        rows = self.object_list
        if isinstance(rows, QuerySet):
            return rows.order_by()[: MAX_COUNTED + 1].count()
        return len(rows)

    @cached_property
    def count(self) -> int:
        return min(self._counted, MAX_COUNTED)

    @property
    def has_more(self) -> bool:
        """Tell whether there are more than MAX_COUNTED rows."""
        return self._counted > MAX_COUNTED
