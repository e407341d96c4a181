"""Idempotency-Key: one request, however often it is sent."""

from datetime import timedelta

import pytest
from django.utils import timezone

from evcharging.api.models import IdempotencyKey
from evcharging.api.services import forget_idempotency_keys
from evcharging.jobs.periodic import maintain
from id_tags.models import IdTag
from stations.models import Command
from tests.support.api import Program
from tests.support.broken_table import DIVISION_BY_ZERO, broken
from tests.support.factories import make_id_tag, make_station

pytestmark = pytest.mark.django_db
TAG = {"id_tag": "T", "note": "x"}


@pytest.fixture
def program() -> Program:
    return Program()


def test_same_request_gets_the_same_answer(program):
    first = program.send("post", "id-tags/", TAG, key="k")
    again = program.send("post", "id-tags/", TAG, key="k")
    assert (again.status_code, again.content, again["Location"], again["Content-Type"]) == (
        201, first.content, first["Location"], first["Content-Type"],
    )  # fmt: skip
    assert ("Idempotent-Replayed" in first, again["Idempotent-Replayed"]) == (False, "true")
    assert IdTag.objects.count() == 1


def test_members_may_stand_in_another_order(program):
    program.post("id-tags/", TAG, status=201, key="k")
    program.post("id-tags/", dict(reversed(TAG.items())), status=201, key="k")


def test_a_refusal_is_an_answer_too(program):
    make_id_tag("T")
    program.post("id-tags/", TAG, status=409, key="k")
    IdTag.objects.all().delete()
    assert program.post("id-tags/", TAG, status=409, key="k")["type"] == "urn:evcharging:problem:exists"
    program.post("id-tags/", TAG, status=201, key="k2")
    assert program.post("id-tags/", {}, status=400, key="k3") == program.post("id-tags/", {}, status=400, key="k3")


@pytest.mark.parametrize(
    ("path", "body"), [("id-tags/", TAG | {"note": "y"}), ("id-tag-groups/", TAG), ("id-tags/", {})]
)
def test_another_request_with_the_key_is_refused(program, path, body):
    program.post("id-tags/", TAG, status=201, key="k")
    problem = program.post(path, body, status=422, key="k")
    assert problem["type"] == "urn:evcharging:problem:idempotency-key-reused"


def test_keys_are_each_token_s_own(program):
    program.post("id-tags/", TAG, status=201, key="k")
    assert Program().post("id-tags/", TAG, status=409, key="k")["type"] == "urn:evcharging:problem:exists"


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "é"])
def test_key_that_is_none(program, key):
    assert program.post("id-tags/", TAG, status=400, key=key)["status"] == 400
    assert IdTag.objects.count() == 0


def test_request_whose_first_run_has_no_answer_yet_is_a_conflict(program):
    program.post("id-tags/", TAG, status=201, key="k")
    IdempotencyKey.objects.update(status=None)
    response = program.send("post", "id-tags/", TAG, key="k")
    assert (response.status_code, response["Retry-After"]) == (409, "1")
    assert response.json()["type"] == "urn:evcharging:problem:idempotency-key-in-use"


def test_run_that_was_cut_off_is_taken_over_and_finds_what_it_made(program):
    make_station("A")
    body = {"action": "ClearCache", "waits_s": 60}
    first = program.post("stations/A/commands/", body, status=202, key="k")
    IdempotencyKey.objects.update(status=None, body="", claimed_at=timezone.now() - timedelta(minutes=3))
    assert program.post("stations/A/commands/", body, status=202, key="k") == first
    assert Command.objects.count() == 1


def test_failure_of_ours_is_not_kept(program):
    with broken("id_tags_idtag", DIVISION_BY_ZERO):
        program.post("id-tags/", TAG, status=500, key="k")
    assert IdempotencyKey.objects.count() == 0
    program.post("id-tags/", TAG, status=201, key="k")


def test_keys_are_forgotten_after_a_day(program):
    program.post("id-tags/", TAG, status=201, key="k")
    day_ago = timezone.now() - timedelta(hours=24, minutes=1)
    IdempotencyKey.objects.update(created_at=day_ago)
    assert program.post("id-tags/", TAG, status=409, key="k")["type"] == "urn:evcharging:problem:exists"
    IdempotencyKey.objects.update(created_at=day_ago)
    program.post("id-tags/", TAG, status=409, key="k2")
    assert maintain(now=timezone.now()) is True
    assert IdempotencyKey.objects.get().key == "k2"
    assert forget_idempotency_keys(now=timezone.now()) == 0
