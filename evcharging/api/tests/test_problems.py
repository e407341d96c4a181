"""Every error is a problem (RFC 9457), and says no more than it should."""

import logging

import pytest
from django.db import transaction
from django.test import Client, override_settings

from evcharging.api.parsers import MAX_BODY_BYTES
from tests.support.api import ROOT, Program, errors
from tests.support.broken_table import DIVISION_BY_ZERO, SHUTDOWN, broken
from tests.support.factories import make_id_tag

pytestmark = pytest.mark.django_db


@pytest.fixture
def program() -> Program:
    return Program()


def posted(program: Program, body: bytes, kind: str = "application/json", path: str = "id-tags/"):
    return program.client.post(ROOT + path, body, content_type=kind)


def problem_of(response, status: int) -> dict:
    assert (response.status_code, response["Content-Type"]) == (status, "application/problem+json"), response.content
    problem = response.json()
    assert {"type", "title", "status", "detail", "instance"} <= set(problem) <= {
        "type", "title", "status", "detail", "instance", "errors",
    }  # fmt: skip
    assert problem["status"] == status
    return problem


@pytest.mark.parametrize(
    "body",
    [
        b" ", b"{", b"nul", b"\xff", b"[]", b"1", b'"x"', b"null", b'{"a": NaN}', b'{"a": 1e999}', b'{"a": "\\ud800"}',
        b'{"a": 01}', b"{'a': 1}", b'{"a":' * 5000 + b"1" + b"}" * 5000, b"[" * 100_000,
    ],
)  # fmt: skip
def test_body_that_is_no_json_object(program, body):
    problem = problem_of(posted(program, body), 400)
    assert problem["detail"].startswith("The body is not ")


def test_every_wrong_member_is_named(program):
    problem = program.post("id-tags/", {"id_tag": "", "status": "Fine", "colour": 1}, status=400)
    assert (problem["type"], problem["title"]) == ("urn:evcharging:problem:validation", "Bad Request")
    assert errors(problem) == {"#/colour": "There is no such member to be written."}
    problem = program.post("id-tags/", {"id_tag": "", "status": "Fine"}, status=400)
    assert list(errors(problem)) == ["#/id_tag", "#/status"]


@pytest.mark.parametrize("body", [{"note": 2**70}, {"note": ["x"]}, {"max_active_transactions": 2**63}])
def test_numbers_beyond_any_column(program, body):
    assert program.post("id-tags/", {"id_tag": "T", **body}, status=400)["status"] == 400


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("stations/?colour=red", "colour"),
        ("stations/?vendor=a&vendor=b", "vendor"),
        ("stations/?vendor=", "vendor"),
        ("transactions/?until=", "until"),
        ("stations/?vendor=%00", "vendor"),
        ("stations/?vendor=" + "x" * 256, "vendor"),
        ("stations/?online=1", "online"),
        ("stations/?registration_status=accepted", "registration_status"),
        ("transactions/?connector_id=-1", "connector_id"),
        ("transactions/?connector_id=99999999999999999999999", "connector_id"),
        ("transactions/?connector_id=2147483648", "connector_id"),
        ("transactions/?connector_id=%D9%A1", "connector_id"),
        ("transactions/?since=yesterday", "since"),
        ("transactions/?since=2026-03-01", "since"),
        ("transactions/?since=2026-03-01T12:00:00", "since"),
        ("transactions/?until=2026-02-30T12:00:00Z", "until"),
        ("transactions/?until=0001-01-01T00:00:00%2B23:59", "until"),
        ("transactions/?closing=Maybe", "closing"),
        ("transactions/?page_size=0", "page_size"),
        ("transactions/?page_size=1001", "page_size"),
        ("transactions/?page_size=x", "page_size"),
        ("transactions/?cursor=x", "cursor"),
        ("transactions/?cursor=", "cursor"),
        ("transactions/?cursor=%00", "cursor"),
        ("transactions/?ordering=password", "ordering"),
        ("transactions/?ordering=--started_at", "ordering"),
        ("meter-values/?station=A", "since"),
        ("id-tags/TAG/?x=1", "x"),
    ],
)
def test_wrong_parameters_are_named(program, path, parameter):
    make_id_tag("TAG")
    problem = problem_of(program.client.get(ROOT + path), 400)
    assert parameter in errors(problem)


@pytest.mark.parametrize(
    "path",
    [
        "nothing/", "stations", "transactions/99999999999999999999999999/", "transactions/0/", "transactions/x/",
        "transactions/-1/", "commands/x/", "orphans/9223372036854775808/", "deviations/99999999999999999999/",
        "connectors/99999999999999999999/", "unknown-id-tags/99999999999999999999/", "id-tags/%ED%A0%80/",
        "stations/" + "x" * 5000 + "/", "id-tags/" + "%C3%9F" * 300 + "/",
        "transactions/99999999999999999999/meter-values/", "charging-profiles/99999999999999999999/",
        "reservations/99999999999999999999/", "refused-connections/99999999999999999999/",
    ],
)  # fmt: skip
def test_what_is_nowhere(program, path):
    problem = problem_of(program.client.get(ROOT + path), 404)
    assert problem["instance"].startswith("/api/v1/")


@pytest.mark.parametrize("path", ["id-tags/a%00b/", "id-tag-groups/%00/", "stations/%00/commands/", "nothing/%00"])
def test_nul_in_a_path(program, path):
    assert problem_of(program.client.get(ROOT + path), 400)["detail"] == "There is a NUL in the path."


@pytest.mark.parametrize("method", ["put", "post", "delete", "options", "trace"])
def test_method_that_is_not_allowed(program, method):
    response = getattr(program.client, method)(ROOT + "transactions/")
    assert problem_of(response, 405)["title"] == "Method Not Allowed"
    assert response["Allow"] == "GET, HEAD"


def test_head_is_a_get_without_its_body(program):
    response = program.client.head(ROOT + "transactions/")
    assert (response.status_code, response.content) == (200, b"")


def test_json_is_all_there_is(program):
    assert problem_of(program.client.get(ROOT + "id-tags/", headers={"Accept": "text/html"}), 406)
    for accept in ("*/*", "application/json", "application/*", "text/html, */*;q=0.1"):
        assert program.client.get(ROOT + "id-tags/", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("kind", ["application/xml", "multipart/form-data", "application/x-www-form-urlencoded", "x"])
def test_body_of_another_type(program, kind):
    problem_of(posted(program, b"id_tag=T", kind), 415)


def test_conflict_has_a_type_of_its_own(program):
    make_id_tag("TAG")
    problem = problem_of(program.send("post", "id-tags/", {"id_tag": "tag"}), 409)
    assert problem["type"] == "urn:evcharging:problem:exists"


def test_body_that_is_too_large(program):
    body = b'{"id_tag": "T", "note": "' + b"x" * MAX_BODY_BYTES + b'"}'
    problem_of(posted(program, body), 413)
    fits = b'{"id_tag": "T"}' + b" " * (MAX_BODY_BYTES - 15)
    assert posted(program, fits).status_code == 201


def test_unknown_host_is_a_problem_too(program):
    problem_of(program.client.get(ROOT + "id-tags/", headers={"Host": "evil.example"}), 400)


def test_our_failure_tells_nothing_of_itself(program, caplog):
    with broken("id_tags_idtag", DIVISION_BY_ZERO), caplog.at_level(logging.ERROR, "evcharging.api.problems"):
        savepoint = transaction.savepoint()
        response = program.client.get(ROOT + "id-tags/")
        transaction.savepoint_rollback(savepoint)
    problem = problem_of(response, 500)
    assert problem["detail"] == "Something is wrong on our side; it is in the log."
    assert b"secret" not in response.content
    assert "the secret reason" in caplog.text


def test_database_that_is_away_is_503(program):
    with broken("id_tags_idtag", SHUTDOWN), transaction.atomic():
        response = program.client.get(ROOT + "id-tags/")
        transaction.set_rollback(True)
    assert problem_of(response, 503)["detail"] == "The database is away; try again."
    assert response["Retry-After"] == "5"


@override_settings(API_THROTTLE=1)
def test_throttled_is_429(program):
    program.get("id-tags/")
    response = program.client.get(ROOT + "id-tags/")
    assert problem_of(response, 429)["title"] == "Too Many Requests"


def test_answers_are_not_cached(program):
    assert program.client.get(ROOT + "id-tags/")["Cache-Control"] == "no-store"
    assert Client().get(ROOT + "id-tags/")["Cache-Control"] == "no-store"
