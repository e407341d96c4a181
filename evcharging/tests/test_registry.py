"""Pages and lists name their parts once; a name without a part, or a part without a name, fails `manage.py check`."""

import re

import pytest
from django.contrib import admin
from django.core.checks import run_checks

from evcharging.back_office.extensible_lists import ExtensibleListAdmin
from evcharging.back_office.panels import PanelContent, PanelLayout, PanelPage
from evcharging.back_office.registry import Registry
from id_tags.admin.tag_list import TAG_FACTS
from id_tags.admin.tag_page import TAG_PAGE
from stations.admin.batches import BATCH_PAGE
from stations.admin.commands import COMMAND_PAGE
from stations.admin.station_list import STATION_FACTS, STATION_FILTERS
from stations.admin.station_page import STATION_PAGE
from tests.support.back_office import page
from tests.support.factories import make_station
from transactions.admin.transaction_page import TRANSACTION_PAGE

REGISTRIES = {
    "station page": STATION_PAGE,
    "station list": STATION_FACTS,
    "station filters": STATION_FILTERS,
    "tag page": TAG_PAGE,
    "tag list": TAG_FACTS,
    "transaction page": TRANSACTION_PAGE,
    "command page": COMMAND_PAGE,
    "batch page": BATCH_PAGE,
}


@pytest.fixture(params=REGISTRIES.values(), ids=REGISTRIES.keys())
def registry(request) -> Registry:
    return request.param


def found() -> list[tuple[str, str]]:
    """The ids and first words of our checks of the admin."""
    checks = run_checks(tags=["admin"])
    return [(check.id, check.msg.split()[0]) for check in checks if str(check.id).startswith("evcharging.")]


def titles(text: str) -> list[str]:
    return re.findall(r'<section class="bo-panel" aria-label="([^"]+)"', text)


def test_every_registry_of_the_admin_is_tested_here():
    pages = {id(each.layout) for each in admin.site._registry.values() if isinstance(each, PanelPage)}
    lists = [each for each in admin.site._registry.values() if isinstance(each, ExtensibleListAdmin)]
    used = pages | {id(each) for listed in lists for each in (listed.row_facts, listed.more_filters) if each.names}
    assert used == {id(each) for each in REGISTRIES.values()}


def test_check_finds_nothing_as_it_is():
    assert found() == []


def test_check_finds_a_name_that_no_app_registers(registry, monkeypatch):
    monkeypatch.setattr(registry, "names", (*registry.names, "weather"))
    assert found() == [("evcharging.E012", "'weather'")]


def test_check_finds_a_part_that_is_not_listed(registry, monkeypatch):
    *others, last = registry.names
    monkeypatch.setattr(registry, "names", tuple(others))
    assert found() == [("evcharging.E013", repr(last))]


def test_name_is_registered_once():
    layout = PanelLayout(wide=["a"])
    layout.panel("a", model="stations.station")(lambda request, row: PanelContent())
    with pytest.raises(ValueError, match="'a' is registered twice"):
        layout.register("a")(object())
    with pytest.raises(ValueError, match="'a' is registered twice"):
        layout.panel("a", model="stations.station")(lambda request, row: PanelContent())


@pytest.mark.django_db
def test_station_page_shows_its_panels_in_the_order_listed(admin_client, monkeypatch):
    path = f"/admin/stations/station/{make_station().pk}/change/"
    assert titles(page(admin_client, path)) == [
        "Connectors",
        "Charging now",
        "Energy of the last 30 days",
        "Latest statuses",
        "Commands",
        "Reservations",
        "Charging profiles",
        "Local list",
        "Boots",
        "Refused connections",
        "Notices",
        "Deviations",
        "Configuration",
        "Orphaned messages",
    ]
    monkeypatch.setattr(STATION_PAGE, "names", ("charging_now", "boots", "connectors", "notices", "weather"))
    assert titles(page(admin_client, path)) == ["Charging now", "Connectors", "Boots", "Notices"]
