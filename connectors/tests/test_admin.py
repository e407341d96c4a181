"""Connectors in the back office: the list, and the label that is ours."""

import pytest
from django.utils import timezone

from connectors.models import Connector
from tests.support.back_office import findings, page, queries_grow, read_only, staff, table_rows
from tests.support.factories import make_station

pytestmark = pytest.mark.django_db
LIST = "/admin/connectors/connector/"


def make_connector(number: int = 1, **fields) -> Connector:
    defaults = {"status": "Available", "error_code": "NoError", "status_at": timezone.now()}
    return make_station().connectors.create(connector_id=number, **(defaults | fields))


def url(connector: Connector, what: str = "change") -> str:
    return f"{LIST}{connector.pk}/{what}/"


def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    assert queries_grow(admin_client, LIST, make_connector) == 0


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("fault=yes", ["1", "2"]),
        ("fault=no", ["3", "4"]),
        ("status__exact=Charging", ["2"]),
        ("q=left", ["3 · Left"]),
    ],
)
def test_changelist_filters(admin_client, query, found):
    make_connector(1, status="Faulted")
    make_connector(2, status="Charging", error_code="WeakSignal")
    make_connector(3, label="Left" if "left" in query else "")
    make_connector(4, error_code="")
    assert [cells[0] for cells in table_rows(page(admin_client, f"{LIST}?{query}"))] == found


def test_changelist_escapes_what_chargers_sent(admin_client):
    make_connector(0, info="<script>x", error_code="<script>x", vendor_error_code="<b>")
    assert page(admin_client, LIST).count("<script>x") == 0


def test_page_of_a_status_that_ocpp_does_not_know(admin_client):
    connector = make_connector(1, status="Sleeping")
    assert table_rows(page(admin_client, LIST))[0][2] == "Sleeping"
    page(admin_client, f"/admin/stations/station/{connector.station_id}/change/")
    assert read_only(page(admin_client, url(connector)), "Status") == "Sleeping"


@pytest.mark.parametrize(("register", "text"), [("1500.000", "1500"), ("1500.250", "1500.25"), (None, "–")])
def test_page_shows_fractions_of_a_wh_where_there_are_some(admin_client, register, text):
    connector = make_connector(last_meter_stop_wh=register)
    assert read_only(page(admin_client, url(connector)), "Last meter stop wh") == text


def test_page_changes_the_label_and_nothing_else(admin_client):
    connector = make_connector()
    admin_client.post(url(connector), {"label": "Left", "status": "Faulted", "connector_id": "9"})
    connector.refresh_from_db()
    assert (connector.label, connector.status, connector.connector_id) == ("Left", "Available", 1)


def test_connectors_are_neither_added_nor_deleted_by_hand(admin_client):
    connector = make_connector()
    page(admin_client, f"{LIST}add/", status=403)
    assert admin_client.post(url(connector, "delete"), {"post": "yes"}).status_code == 403
    admin_client.post(LIST, {"action": "delete_selected", "_selected_action": [connector.pk], "post": "yes"})
    assert Connector.objects.count() == 1


def test_pages_need_permission():
    connector = make_connector()
    page(staff(), LIST, status=403)
    viewer = staff("connectors.view_connector")
    page(viewer, url(connector))
    assert viewer.post(url(connector), {"label": "x"}).status_code == 403


def test_station_page_tells_of_connectors_out_of_service(admin_client):
    connector = make_connector(0, status="Unavailable")
    text = page(admin_client, f"/admin/stations/station/{connector.station_id}/change/")
    assert findings(text)[-1] == "The station itself is Unavailable for 0 s."
