"""Who gets in: tokens with scopes, staff with a session, and nobody else."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone

from evcharging.api.models import ApiToken
from evcharging.api.services import create_api_token, revoke_api_token
from evcharging.api.tokens import generate_token
from id_tags.models import IdTag
from tests.support.api import ROOT, Program
from tests.support.factories import make_id_tag, make_station

pytestmark = pytest.mark.django_db
TAGS = ROOT + "id-tags/"


def refused(authorization: str | None) -> dict[str, str]:
    headers = {} if authorization is None else {"Authorization": authorization}
    response = Client(headers=headers).get(TAGS)
    assert (response.status_code, response["WWW-Authenticate"]) == (401, 'Bearer realm="evcharging"')
    assert response["Content-Type"] == "application/problem+json"
    return response.json()


# Tokens


def test_token_opens():
    assert Program("read").get("id-tags/") == {"next": None, "results": []}


@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_scheme_is_of_any_case(scheme):
    response = Client(headers={"Authorization": f"{scheme} {Program('read').token}"}).get(TAGS)
    assert response.status_code == 200


@pytest.mark.parametrize(
    "authorization",
    [
        None, "", "Bearer", "Bearer ", "Bearer nonsense", "Bearer evc_", "Bearer evc_\xff", "Bearer " + "x" * 5000,
        "Bearer evc_" + "A" * 43, "Basic YTpi", "Token evc_x",
    ],
)  # fmt: skip
def test_what_is_no_token_of_ours_opens_nothing(authorization):
    assert refused(authorization)["status"] == 401


def test_token_that_differs_in_one_character_opens_nothing():
    program = Program("read")
    other = "B" if program.token[10] == "A" else "A"
    refused(f"Bearer {program.token[:10]}{other}{program.token[11:]}")


def test_expired_token_opens_nothing():
    now = timezone.now()
    _, text = create_api_token(
        name="old", scopes=["read"], created_by="anna", expires_at=now - timedelta(seconds=1), now=now
    )
    assert refused(f"Bearer {text}")["detail"] == "The token is unknown, expired or revoked."


def test_revoked_token_opens_nothing_at_once():
    program = Program("read")
    program.get("id-tags/")
    assert revoke_api_token(token_id=program.token_row.pk, now=timezone.now()) is True
    assert revoke_api_token(token_id=program.token_row.pk, now=timezone.now()) is False
    refused(f"Bearer {program.token}")


def test_use_of_a_token_is_noted_once_a_minute():
    program = Program("read")
    program.get("id-tags/")
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    program.get("id-tags/")
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=2))
    program.get("id-tags/")
    assert ApiToken.objects.get().last_used_at >= first


def test_token_is_stored_as_its_digest_alone():
    program = Program("read")
    assert program.token not in repr(ApiToken.objects.values().get())


def test_generated_tokens_are_told_apart_and_by_their_prefix():
    tokens = {generate_token() for _ in range(100)}
    assert (len(tokens), {token[:4] for token in tokens}, {len(token) for token in tokens}) == (100, {"evc_"}, {47})


# Scopes: each by itself


@pytest.mark.parametrize(
    ("method", "path", "body", "scope"),
    [
        ("get", "stations/A/", None, "read"),
        ("get", "transactions/", None, "read"),
        ("post", "stations/A/commands/", {"action": "ClearCache"}, "operate"),
        ("post", "command-batches/", {"action": "ClearCache", "stations": ["A"]}, "operate"),
        ("post", "transactions/1/close/", {"note": "x"}, "operate"),
        ("post", "orphans/1/dismiss/", {"note": "x"}, "operate"),
        ("post", "stations/", {"identity": "B"}, "manage"),
        ("patch", "stations/A/", {"name": "x"}, "manage"),
        ("delete", "stations/A/", None, "manage"),
        ("post", "id-tags/", {"id_tag": "T"}, "manage"),
        ("patch", "id-tags/TAG/", {"note": "x"}, "manage"),
        ("delete", "id-tags/TAG/", None, "manage"),
        ("post", "id-tag-groups/", {"parent_id_tag": "G"}, "manage"),
    ],
)
def test_only_its_scope_allows_a_request(method, path, body, scope):
    make_station("A")
    make_id_tag("TAG")
    others = [Program(other) for other in ("read", "operate", "manage") if other != scope]
    for other in others:
        response = other.send(method, path, body) if method != "get" else other.client.get(ROOT + path)
        assert (response.status_code, response.json()["detail"]) == (403, f"The token lacks the scope '{scope}'.")
    allowed = Program(scope)
    response = allowed.send(method, path, body) if method != "get" else allowed.client.get(ROOT + path)
    assert response.status_code in (200, 201, 202, 204, 404), response.content


# Staff


def staff(*codenames: str, **facts: bool) -> Client:
    user = User.objects.create_user("bea", password="x", **({"is_staff": True} | facts))
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    return client


def post_tag(client: Client, **headers: str) -> int:
    return client.post(TAGS, {"id_tag": "T"}, content_type="application/json", headers=headers).status_code


def test_staff_read_what_they_may_view():
    make_id_tag("TAG")
    client = staff("view_idtag")
    assert client.get(TAGS).json()["results"][0]["id_tag"] == "TAG"
    assert client.get(ROOT + "stations/").status_code == 403


def test_staff_write_with_the_csrf_token_alone():
    client = staff("view_idtag", "add_idtag")
    assert post_tag(client) == 403
    assert IdTag.objects.count() == 0
    client.get("/admin/")
    secret = client.cookies["csrftoken"].value if "csrftoken" in client.cookies else "x" * 32
    client.cookies["csrftoken"] = secret
    assert post_tag(client, **{"X-CSRFToken": "y" * 32}) == 403
    assert post_tag(client, **{"X-CSRFToken": secret}) == 201


def test_staff_need_the_permission_to_write():
    client = staff("view_idtag")
    client.cookies["csrftoken"] = "x" * 32
    assert post_tag(client, **{"X-CSRFToken": "x" * 32}) == 403


@pytest.mark.parametrize("facts", [{"is_staff": False}, {"is_active": False}])
def test_users_who_are_no_active_staff_are_nobody(facts):
    assert staff("view_idtag", **facts).get(TAGS).status_code == 401


def test_token_needs_no_csrf_token_beside_a_session():
    client = staff()
    assert post_tag(client, Authorization=f"Bearer {Program('manage').token}") == 201


# The pages about the API


def test_schema_is_for_whoever_may_ask():
    assert Client().get(ROOT + "schema/").status_code == 401
    program = Program("operate")
    assert program.client.get(ROOT + "schema/")["Content-Type"] == "application/vnd.oai.openapi+json"
    schema = program.client.get(ROOT + "schema/", headers={"Accept": "application/json"}).json()
    assert schema["openapi"].startswith("3.1")


def test_docs_are_for_staff():
    assert Client().get(ROOT + "docs/").status_code == 302
    page = staff().get(ROOT + "docs/")
    assert (page.status_code, page["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert "https://" not in page.content.decode()
