"""Columns that the lists of several apps have in common: callables for `list_display`."""

from typing import Any

from django.utils.safestring import SafeString
from unfold.decorators import display

from evcharging.back_office.display import link


@display(description="Station", ordering="station__identity")
def of_station(row: Any) -> SafeString:
    """Link the station of a row that has a foreign key `station`; the list selects it (list_select_related)."""
    return link(row.station)
