"""Connectors in the API."""

import pytest

from connectors.models import Connector
from tests.support.api import Program, queries_grow
from tests.support.factories import make_station

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return Program()


def make(number: int = 1, **fields) -> Connector:
    station = fields.pop("station", None) or make_station()
    return Connector.objects.create(station=station, **({"connector_id": number + 1} | fields))


def test_connectors_filtered(program):
    fine = make(1, station=make_station("A"), status="Available", error_code="NoError")
    faulted = make(2, status="Faulted", error_code="GroundFailure")
    assert program.ids("connectors/", "id", station="a") == [fine.pk]
    assert program.ids("connectors/", "id", connector_id=3) == [faulted.pk]
    assert program.ids("connectors/", "id", status="Available") == [fine.pk]
    assert program.ids("connectors/", "id", faulted="true") == [faulted.pk]
    assert program.ids("connectors/", "id", faulted="false") == [fine.pk]
    shown = program.get(f"connectors/{faulted.pk}/")
    assert (shown["status"], shown["error_code"], shown["is_faulted"]) == ("Faulted", "GroundFailure", True)


def test_connectors_are_paged_and_only_read(program):
    rows = [make(number).pk for number in range(5)]
    assert program.ids("connectors/", "id", page_size=2) == rows
    assert program.ids("connectors/", "id", page_size=2, ordering="-id") == rows[::-1]
    program.patch(f"connectors/{rows[0]}/", {"label": "x"}, status=405)
    program.get("connectors/0/", status=404)


def test_list_runs_as_many_queries_for_1_as_for_20(program):
    assert queries_grow(program, "connectors/", make) == 0
