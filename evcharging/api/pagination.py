"""Keyset pagination: a page begins after the last row of the one before, without OFFSET and without a count.

A view's `orderings` are the columns by which its rows may be ordered (name → column that is never null); the first
one, with a "-" or without, is the default. `tie_breaker` is a unique column that makes the order total.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.core import signing
from django.db.models import Q
from rest_framework import exceptions
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

DEFAULT_SIZE, MAX_SIZE = 100, 1000
_SALT = "evcharging.api.cursor"


class KeysetPagination(BasePagination):
    parameters = ("cursor", "ordering", "page_size")

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Return one page; one more row is fetched to know whether another page follows.

        :raises ValidationError: a parameter is invalid.
        """
        self._url = request.build_absolute_uri()
        size = _size(request.query_params.get("page_size"))
        ordering = _ordering(request.query_params.get("ordering"), view)
        columns = _columns(ordering, view)
        cursor = request.query_params.get("cursor")
        if cursor is not None:
            queryset = queryset.filter(_after(columns, _position(cursor, ordering)))
        rows = view.read_rows(queryset.order_by(*columns), limit=size + 1)
        self._next: str | None = None
        if len(rows) > size:
            last = rows[size - 1]
            values = [_plain(getattr(last, column.lstrip("-"))) for column in columns]
            self._next = signing.dumps([ordering, *values], salt=_SALT, compress=True)
        return rows[:size]

    def get_paginated_response(self, data: Any) -> Response:
        following = self._next and replace_query_param(self._url, "cursor", self._next)
        return Response({"next": following, "results": data})

    def get_paginated_response_schema(self, schema: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "type": "object",
            "required": ["next", "results"],
            "properties": {
                "next": {
                    "type": ["string", "null"],
                    "format": "uri",
                    "description": "Where the following page is; null on the last.",
                },
                "results": dict(schema),
            },
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        names = [name.lstrip("-") for name in view.orderings]
        orderings = sorted([*names, *(f"-{name}" for name in names)], key=lambda name: name.lstrip("-"))
        return [
            _parameter("cursor", {"type": "string", "minLength": 1}, "Of the following page, out of `next`."),
            _parameter(
                "ordering",
                {"type": "string", "enum": orderings, "default": next(iter(view.orderings))},
                "By which member; - for the highest first.",
            ),
            _parameter(
                "page_size",
                {"type": "integer", "minimum": 1, "maximum": MAX_SIZE, "default": DEFAULT_SIZE},
                "Rows of a page.",
            ),
        ]


def _parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": schema}


def _size(text: str | None) -> int:
    if text is None:
        return DEFAULT_SIZE
    if not (text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= MAX_SIZE):
        raise exceptions.ValidationError({"page_size": [f"Not a whole number from 1 to {MAX_SIZE}."]})
    return int(text)


def _ordering(text: str | None, view: Any) -> str:
    if text is None:
        return str(next(iter(view.orderings)))
    if text.removeprefix("-") not in {name.lstrip("-") for name in view.orderings}:
        raise exceptions.ValidationError({"ordering": ["Rows are not ordered by this."]})
    return text


def _columns(ordering: str, view: Any) -> list[str]:
    """Return the columns of a total order, all in one direction."""
    sign = "-" if ordering.startswith("-") else ""
    column = {name.lstrip("-"): column for name, column in view.orderings.items()}[ordering.lstrip("-")]
    return [f"{sign}{column}"] if column == view.tie_breaker else [f"{sign}{column}", f"{sign}{view.tie_breaker}"]


def _position(cursor: str, ordering: str) -> list[Any]:
    """Return the columns of the last row of the page before, out of the signed cursor."""
    try:
        written, *values = signing.loads(cursor, salt=_SALT)
    except signing.BadSignature:
        raise exceptions.ValidationError({"cursor": ["Not a cursor of ours."]}) from None
    if written != ordering:
        raise exceptions.ValidationError({"cursor": ["Of a list in another order."]})
    return values


def _after(columns: Sequence[str], values: Sequence[Any]) -> Q:
    """Return the condition of the rows after these values; its first term, on one column, is for the index."""
    operator = "lt" if columns[0].startswith("-") else "gt"
    names = [column.lstrip("-") for column in columns]
    first, *rest = names
    strictly = Q(**{f"{first}__{operator}": values[0]})
    if not rest:
        return strictly
    tied = Q(**{first: values[0], f"{rest[0]}__{operator}": values[1]})
    return Q(**{f"{first}__{operator}e": values[0]}) & (strictly | tied)


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
