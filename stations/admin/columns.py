"""Columns shared by the lists of several apps: callables for `list_display`."""

from typing import Any

from django.utils.safestring import SafeString
from unfold.decorators import display

from evcharging.back_office.display import link


@display(description="Station", ordering="station__identity")
def of_station(row: Any) -> SafeString:
    """Return a link to the row's `station`; the list joins it by list_select_related."""
    return link(row.station)
