"""Commands in the back office: a form per operation, the outcome's page, batches."""

import html
from datetime import timedelta

import pytest
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from evcharging.ocpp16_schemas import request_error
from id_tags.models import LocalListUpdate
from stations.admin.commanding import form_class, operations
from stations.models import Command, CommandBatch, ConfigurationKey, Station
from stations.operations import OPERATIONS
from stations.services.batches import advance_batches
from tests.support.back_office import messages, page, queries_grow, staff, table_rows
from tests.support.factories import make_station

pytestmark = pytest.mark.django_db
PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"
ANSWERS = {
    "deliver_certificate": ("CertificateSigned", {"chain": PEM}),
    "change_availability": ("ChangeAvailability", {"connector_id": "1", "availability": "Inoperative"}),
    "change_configuration": ("ChangeConfiguration", {"key": "HeartbeatInterval", "value": "60"}),
    "clear_tag_cache": ("ClearCache", {}),
    "transfer_data": ("DataTransfer", {"vendor_id": "Acme", "text": "x"}),
    "delete_certificate": (
        "DeleteCertificate",
        {"hash_algorithm": "SHA256", "issuer_name_hash": "ab", "issuer_key_hash": "cd", "serial_number": "01"},
    ),
    "trigger_message_extended": ("ExtendedTriggerMessage", {"message": "sign_certificate"}),
    "read_configuration": ("GetConfiguration", {"keys": "A, B"}),
    "upload_diagnostics": ("GetDiagnostics", {"location": "ftp://files.example/in", "since": "2026-11-01T10:00"}),
    "list_certificates": ("GetInstalledCertificateIds", {"use": "manufacturer_root"}),
    "read_local_list_version": ("GetLocalListVersion", {}),
    "upload_log": (
        "GetLog",
        {"log": "security", "location": "https://files.example/in", "since": "2026-11-01T10:00"},
    ),
    "install_certificate": ("InstallCertificate", {"use": "central_system_root", "certificate": PEM}),
    "reset": ("Reset", {"is_immediate": "yes"}),
    "update_signed_firmware": (
        "SignedUpdateFirmware",
        {
            "location": "https://files.example/fw", "fetch_at": "2026-11-01T10:00", "signing_certificate": PEM,
            "signature": "c2lnbg==",
        },
    ),
    "trigger_message": ("TriggerMessage", {"message": "status", "connector_id": "1"}),
    "unlock_connector": ("UnlockConnector", {"connector_id": "1"}),
    "update_firmware": ("UpdateFirmware", {"location": "https://files.example/fw", "fetch_at": "2026-11-01T10:00"}),
}  # fmt: skip
"""By operation: what OCPP 1.6 calls it, and what a person fills in; those of transactions and local lists are tested
with their apps."""


def online(identity: str = "A", **fields: object) -> Station:
    """A station that is connected as far as PostgreSQL and Redis know."""
    from django_redis import get_redis_connection

    from stations.selectors import presence_key

    station = make_station(identity, connected_at=timezone.now(), **fields)
    get_redis_connection("default").set(presence_key(station.pk), station.connection_epoch)
    return station


def url(station: Station, name: str = "") -> str:
    return f"/admin/stations/station/{station.pk}/commands/" + (f"{name}/" if name else "")


def test_every_operation_has_a_form():
    assert {name for name, _ in operations()} == {*OPERATIONS, "trigger_message_extended", "any"}
    assert all(form.title and form.purpose() for _, form in operations())


def test_chooser_lists_them_all_with_what_they_do(admin_client):
    station = make_station("A")
    text = page(admin_client, url(station))
    for name, form in operations():
        assert url(station, name) in text
        assert html.escape(form.title) in text


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_form_sends_what_the_schema_allows(admin_client, name):
    station, (action, filled) = online(), ANSWERS[name]
    assert 'name="waits_s"' in page(admin_client, url(station, name))
    response = admin_client.post(url(station, name), {**filled, "waits_s": "0", "reason": "because"})
    command = Command.objects.get()
    assert response.headers["location"] == f"/admin/stations/command/{command.pk}/change/"
    assert (command.action, command.status, command.via, command.reason) == (action, "queued", "admin", "because")
    assert command.requested_by == "admin"
    assert request_error(action, command.payload) is None
    assert LogEntry.objects.get().change_message == f"Sent {action}."


def test_form_of_an_empty_local_list(admin_client):
    station = online()
    admin_client.post(url(station, "SendLocalList"), {"tags": "none", "update_type": "", "waits_s": "0"})
    assert Command.objects.get().payload == {"listVersion": 1, "updateType": "Full", "localAuthorizationList": []}
    assert LocalListUpdate.objects.get().requested_by == "admin"


def test_refusal_stays_on_the_form(admin_client):
    station = online(registration_status="Pending")
    response = admin_client.post(url(station, "Reset"), {"is_immediate": "no", "waits_s": "0"})
    assert "A is pending: it is only to be configured and triggered" in response.content.decode()
    assert Command.objects.count() == 0


@pytest.mark.parametrize(
    ("filled", "sent", "said"),
    [
        ({"action": "Reset", "content": '{"type": "Soft"}'}, {"type": "Soft"}, ""),
        ({"action": "Reset", "content": '{"type": "Warm"}'}, None, "type"),
        ({"action": "Reset", "content": '{"type": "Warm"}', "insist": "on"}, {"type": "Warm"}, ""),
        ({"action": "Nonsense", "content": "{}"}, None, "OCPP 1.6 has no command Nonsense"),
        ({"action": "Nonsense", "content": "{}", "insist": "on"}, {}, ""),
        ({"action": "Reset", "content": "{"}, None, "That is not JSON"),
        ({"action": "Reset", "content": "[]"}, None, "A payload is a JSON object"),
    ],
)
def test_any_json_is_checked_and_may_be_insisted_on(admin_client, filled, sent, said):
    station = online()
    response = admin_client.post(url(station, "any"), {**filled, "waits_s": "0"})
    command = Command.objects.first()
    assert (None if command is None else command.payload) == sent
    if command is None:
        assert said in response.content.decode()
    else:
        assert command.allows_invalid is ("insist" in filled)


def test_new_password_is_not_shown_on_the_page_of_its_command(admin_client):
    station = online()
    secret = "00112233445566778899aabbccddeeff"
    response = admin_client.post(
        url(station, "ChangeConfiguration"), {"key": "AuthorizationKey", "value": secret, "waits_s": "0"}
    )
    text = page(admin_client, response.headers["location"])
    assert "AuthorizationKey" in text
    assert secret not in text


def make_command(number: int = 1, **fields: object) -> Command:
    now = timezone.now()
    defaults = {
        "operation": "reset", "arguments": {"is_immediate": False}, "version": "ocpp1.6", "action": "Reset",
        "payload": {"type": "Soft"}, "requested_by": "anna", "via": "admin", "created_at": now,
        "expires_at": now + timedelta(minutes=1),
    }  # fmt: skip
    return Command.objects.create(station=make_station(), **(defaults | fields))


def test_changelist_runs_as_many_queries_for_2_rows_as_for_20(admin_client):
    assert queries_grow(admin_client, "/admin/stations/command/", make_command) == 0


def test_page_asks_again_until_the_outcome_is_there(admin_client):
    command = make_command()
    live = f'data-live="/admin/stations/command/{command.pk}/outcome/"'
    assert live in page(admin_client, f"/admin/stations/command/{command.pk}/change/")
    fragment = f"/admin/stations/command/{command.pk}/outcome/"
    assert live in page(admin_client, fragment)
    Command.objects.filter(pk=command.pk).update(
        status="answered", succeeded=True, result_status="Accepted", response={"status": "Accepted"},
        expected_effect="waiting", answered_at=timezone.now(),
    )  # fmt: skip
    text = page(admin_client, fragment)
    assert live in text
    assert "Accepted" in text
    Command.objects.filter(pk=command.pk).update(expected_effect="done", effect_note="back after 12 s")
    text = page(admin_client, fragment)
    assert "data-live" not in text
    assert "back after 12 s" in text


def test_command_can_be_cancelled_while_it_waits(admin_client):
    command = make_command()
    cancel = f"/admin/stations/command/{command.pk}/cancel/"
    assert cancel in page(admin_client, f"/admin/stations/command/{command.pk}/change/")
    admin_client.post(cancel)
    command.refresh_from_db()
    assert command.status == "cancelled"
    assert cancel not in page(admin_client, f"/admin/stations/command/{command.pk}/change/")


def test_commanding_needs_its_permission():
    station = online()
    viewer = staff("stations.view_station", "stations.view_command")
    assert viewer.get(url(station)).status_code == 403
    assert viewer.get(url(station, "Reset")).status_code == 403
    assert viewer.post(url(station, "Reset"), {"is_immediate": "no", "waits_s": "0"}).status_code == 403
    assert "send-command" not in page(viewer, f"/admin/stations/station/{station.pk}/change/")
    assert staff().get(f"/admin/stations/command/{make_command().pk}/outcome/").status_code == 403
    operator = staff("stations.view_station", "stations.add_command", "stations.view_command")
    assert operator.post(url(station, "Reset"), {"is_immediate": "no", "waits_s": "0"}).status_code == 302


def test_station_page_shows_its_commands_and_configuration(admin_client):
    command = make_command(status="call_error", succeeded=False, error={"code": "NotSupported", "description": ""})
    station = command.station
    now = timezone.now()
    ConfigurationKey.objects.create(station=station, key="HeartbeatInterval", value="300", readonly=False, read_at=now)
    ConfigurationKey.objects.create(station=station, key="Serial", value="7", readonly=True, read_at=now)
    text = page(admin_client, f"/admin/stations/station/{station.pk}/change/")
    assert "NotSupported" in text
    assert f"{url(station, 'change_configuration')}?key=HeartbeatInterval&amp;value=300" in text
    assert "key=Serial" not in text


def test_batch_from_the_list_goes_through_operation_and_form(admin_client):
    stations = [online("A"), online("B"), online("C")]
    selected = {"action": "command_many", "_selected_action": [station.pk for station in stations[:2]]}
    text = admin_client.post("/admin/stations/station/", selected).content.decode()
    assert "Send a command to 2 stations" in text
    text = admin_client.post("/admin/stations/station/", {**selected, "operation": "reset"}).content.decode()
    assert "Stations per second" in text
    answered = {**selected, "operation": "reset", "answered": "yes", "is_immediate": "no", "waits_s": "0"}
    response = admin_client.post("/admin/stations/station/", {**answered, "stations_per_second": "50"})
    batch = CommandBatch.objects.get()
    assert response.headers["location"] == f"/admin/stations/commandbatch/{batch.pk}/change/"
    assert (batch.action, batch.payload, batch.items.count()) == ("Reset", {"type": "Soft"}, 2)
    assert messages(admin_client) == ["Reset is on its way to 2 stations."]
    advance_batches(now=batch.created_at + timedelta(seconds=1))
    assert sorted(Command.objects.values_list("station__identity", flat=True)) == ["A", "B"]


def test_batch_page_shows_progress_and_can_be_stopped_and_retried(admin_client):
    good, refused = online("A"), online("B", registration_status="Rejected")
    selected = {"action": "command_many", "_selected_action": [good.pk, refused.pk]}
    admin_client.post(
        "/admin/stations/station/",
        {**selected, "operation": "clear_tag_cache", "answered": "yes", "waits_s": "0", "stations_per_second": "100"},
    )
    batch = CommandBatch.objects.get()
    address = f"/admin/stations/commandbatch/{batch.pk}/"
    advance_batches(now=batch.created_at + timedelta(seconds=1))
    text = page(admin_client, f"{address}change/")
    assert "1 of 2 stations have their result" in text
    assert "B is rejected" in text
    assert f'data-live="{address}progress/"' in page(admin_client, f"{address}progress/")
    admin_client.post(f"{address}stop/")
    assert Command.objects.get().status == "cancelled"
    advance_batches(now=timezone.now() + timedelta(seconds=2))
    assert "data-live" not in page(admin_client, f"{address}progress/")
    admin_client.post(f"{address}retry/")
    assert "2 stations are commanded again." in messages(admin_client)
    assert batch.items.filter(commanded_at=None).count() == 2


def test_batch_list_says_how_each_stands(admin_client):
    now = timezone.now()
    for state in ({}, {"ended_at": now}, {"stopped_at": now, "ended_at": now}):
        CommandBatch.objects.create(action="Reset", requested_by="anna", via="api", created_at=now, **state)
    rows = table_rows(page(admin_client, "/admin/stations/commandbatch/"))
    assert sorted(word for row in rows for word in row if word in ("Running", "Done", "Stopped")) == [
        "Done", "Running", "Stopped",
    ]  # fmt: skip


def test_forms_name_no_field_that_their_operation_does_not_have():
    """A field becomes the argument of its name: a slip in its name would be refused for every station."""
    own = {"waits_s", "reason", "text", "limit", "profile_purpose", "kind", "recurrency", "stack_level", "valid_from",
           "valid_to", "start_schedule", "duration", "periods", "groups", "update_type"}  # fmt: skip
    for name, kind in operations():
        if name != "any":
            fields = set(form_class(name)().fields) - own
            assert fields <= {*kind.operation.__struct_fields__, "unit"}, name


def test_address_that_names_an_action_of_ocpp_is_still_good(admin_client):
    """Addresses that were kept: the forms were named by OCPP 1.6's Actions."""
    station = online()
    admin_client.post(url(station, "Reset"), {"is_immediate": "yes", "waits_s": "0"})
    assert Command.objects.get().payload == {"type": "Hard"}
    assert admin_client.get(url(station, "Nonsense")).status_code == 404
