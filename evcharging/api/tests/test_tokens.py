"""Tokens are made by the command and in the back office, shown once, and revoked."""

import io
import os
import re
import subprocess
import sys
from datetime import timedelta

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from evcharging.api.models import ApiToken
from evcharging.api.tokens import looks_like_token
from tests.support.api import ROOT, Program
from tests.support.back_office import page, staff
from tests.support.live_server import REPOSITORY

ADMIN = "/admin/api/apitoken/"


def made(*arguments: str) -> tuple[str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    call_command("create_api_token", *arguments, stdout=stdout, stderr=stderr)
    return stdout.getvalue(), stderr.getvalue()


def status_with(token: str) -> int:
    return Client(headers={"Authorization": f"Bearer {token}"}).get(ROOT + "id-tags/").status_code


@pytest.mark.django_db
def test_command_prints_the_token_alone():
    stdout, stderr = made("billing", "--scopes", "read, operate", "--days", "30")
    (token,) = stdout.splitlines()
    row = ApiToken.objects.get()
    assert (row.name, row.scopes, token.startswith(row.start), status_with(token)) == (
        "billing", ["operate", "read"], True, 200,
    )  # fmt: skip
    assert timedelta(days=29) < row.expires_at - timezone.now() < timedelta(days=30)
    assert token not in stderr


def test_command_in_a_process_ends_with_the_token(live_environment, short_tmp_path):
    run = subprocess.run(
        [sys.executable, "manage.py", "create_api_token", "shell"],
        cwd=REPOSITORY,
        env={**os.environ, **live_environment, "DATA_DIR": str(short_tmp_path)},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert looks_like_token(run.stdout.splitlines()[-1])


@pytest.mark.django_db
@pytest.mark.parametrize(
    "arguments",
    [
        ("x", "--scopes", "all"), ("x", "--scopes", ""), ("",), ("x" * 101,), ("a\nb",), ("x", "--days", "0"),
        ("x", "--days", "99999999"), ("taken",),
    ],
)  # fmt: skip
def test_command_refuses_what_cannot_be(arguments):
    Program("read", name="taken")
    with pytest.raises(CommandError):
        made(*arguments)
    assert ApiToken.objects.count() == 1


@pytest.mark.django_db
def test_back_office_shows_a_token_once():
    client = staff("api.view_apitoken", "api.add_apitoken")
    response = client.post(
        f"{ADMIN}add/", {"name": "billing", "scopes": ["read"], "expires_at_0": "", "expires_at_1": ""}
    )
    (token,) = set(re.findall(r"evc_[A-Za-z0-9_-]{43}", response.content.decode()))
    row = ApiToken.objects.get()
    assert (response.status_code, row.name, row.scopes, status_with(token)) == (200, "billing", ["read"], 200)
    assert row.created_by.startswith("staff-")
    for path in (ADMIN, f"{ADMIN}{row.pk}/change/"):
        text = page(client, path)
        assert row.start in text
        assert token not in text
        assert row.digest not in text


@pytest.mark.django_db
def test_back_office_revokes_after_asking():
    program = Program("read")
    client = staff("api.view_apitoken", "api.change_apitoken")
    found = re.search(r'href="([^"]*revoke[^"]*)"', page(client, f"{ADMIN}{program.token_row.pk}/change/"))
    assert found is not None
    path = found[1]
    assert "Revoke the token" in page(client, path)
    assert status_with(program.token) == 200
    assert client.post(path).status_code == 302
    assert status_with(program.token) == 401
    assert "Revoked" in page(client, ADMIN)


@pytest.mark.django_db
def test_back_office_asks_for_permissions():
    program = Program("read")
    client = staff("api.view_apitoken")
    page(client, ADMIN)
    page(client, f"{ADMIN}add/", status=403)
    assert client.post(f"{ADMIN}{program.token_row.pk}/revoke/").status_code in (403, 404)
    assert client.post(f"{ADMIN}{program.token_row.pk}/delete/", {"post": "yes"}).status_code == 403
    assert status_with(program.token) == 200
    page(staff(), ADMIN, status=403)
