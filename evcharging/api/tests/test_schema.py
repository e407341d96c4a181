"""The API does what its OpenAPI schema says: requests made up from it, valid and not, against a running server."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from django.utils import timezone
from pytest_django import DjangoDbBlocker

from evcharging.api.services import create_api_token
from stations.services.editing import create_station
from tests.support.factories import make_id_tag, start
from tests.support.live_server import LiveServer

# All but positive_data_acceptance: no schema can say what a signed cursor is, or which commands OCPP has.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
    "allow_header_conformance",
    "use_after_free",
    "ensure_resource_availability",
    "ignored_auth",
)
SEED, BUDGET_S = 20260301, 45


def test_answers_are_what_the_schema_says(
    start_server: Callable[..., LiveServer], django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> None:
    server = start_server(API_THROTTLE=0)
    with django_db_blocker.unblock(), server.orm():
        now = timezone.now()
        _, token = create_api_token(
            name="fuzz", scopes=["read", "operate", "manage"], created_by="x", expires_at=None, now=now
        )
        station = create_station(identity="A", values={"registration_status": "Accepted"}, now=now)
        make_id_tag("TAG")
        start(station)
    run = subprocess.run(
        [
            str(Path(sys.executable).with_name("schemathesis")), "run",
            f"{server.http}/api/v1/schema/",
            "--header", f"Authorization: Bearer {token}", "--checks", ",".join(CHECKS), "--seed", str(SEED),
            "--generation-database", "none", "--max-time", str(BUDGET_S),
            "--continue-on-failure", "--no-shrink", "--warnings", "off", "--no-color",
        ],
        cwd=tmp_path, env=os.environ | {"PYTHONWARNINGS": "ignore"}, capture_output=True, text=True, timeout=180,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-30_000:] + run.stderr[-5_000:]
    assert [event for event in server.events() if event["level"] == "ERROR"] == []
