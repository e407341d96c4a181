"""docker-compose.yml cannot be run here: what it says is held against the settings and the files it names."""

import os
import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from django.conf import settings

from evcharging.gateway.websocket.server import DRAIN_MAX_S
from evcharging.server.parent import STOP_S
from scripts.check_deploy import production_environment
from tests.support.live_server import REPOSITORY

TEXT = (REPOSITORY / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()
CADDYFILE = (REPOSITORY / "deploy/Caddyfile").read_text()
PROCESSES = "${GATEWAY_PROCESSES:-1}"


def test_services_are_the_five_of_the_design() -> None:
    assert sorted(SERVICES) == ["db", "gateway", "proxy", "valkey", "web"]
    gateway = {**SERVICES["web"], "environment": {**SERVICES["web"]["environment"], "PROCESSES": PROCESSES}}
    assert SERVICES["gateway"] == gateway


def test_images_are_official_and_pinned() -> None:
    images = {name: service["image"].partition(":") for name, service in SERVICES.items() if "build" not in service}
    assert {name: image for name, (image, _, _) in images.items()} == {
        "db": "timescale/timescaledb",
        "valkey": "valkey/valkey",
        "proxy": "caddy",
    }
    for _, _, tag in images.values():
        assert re.fullmatch(r"\d+\.\d+\.\d+-\w+", tag)


@pytest.mark.parametrize("service", ["web", "gateway"])
def test_environment_names_are_those_that_settings_read(service: str) -> None:
    assert set(SERVICES[service]["environment"]) - settings.ENVIRONMENT.names == set()


def test_image_sets_only_what_settings_read() -> None:
    names = set(re.findall(r"^(?:ENV| {4})\s*([A-Z_]+)=", DOCKERFILE, re.MULTILINE))
    assert {name for name in names if not name.startswith("PYTHON")} - settings.ENVIRONMENT.names == set()


def test_secrets_have_no_default() -> None:
    secrets = re.findall(r"\$\{(\w*(?:PASSWORD|KEY)\w*)(.{0,2})", TEXT)
    assert {name for name, _ in secrets} == {"SECRET_KEY", "POSTGRES_PASSWORD", "VALKEY_PASSWORD"}
    assert {sign for _, sign in secrets} == {":?"}


def test_gateway_can_be_scaled() -> None:
    assert not {"ports", "container_name", "hostname"} & set(SERVICES["gateway"])
    assert f"port {SERVICES['gateway']['environment']['PORT']}" in CADDYFILE


@pytest.mark.parametrize("service", ["web", "gateway"])
def test_stop_is_given_the_time_it_takes(service: str) -> None:
    assert int(SERVICES[service]["stop_grace_period"].removesuffix("s")) > STOP_S > DRAIN_MAX_S


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "proxy": ["80:80", "443:443"]
    }


def test_every_service_is_probed_and_restarted() -> None:
    for service in SERVICES.values():
        assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
        assert service["restart"] == "unless-stopped"


def test_volumes_are_declared_and_mounted_files_exist() -> None:
    mounted = [volume.partition(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    named = {source for source in mounted if not source.startswith(".")}
    assert named == set(COMPOSE["volumes"])
    for source in mounted:
        if source.startswith("."):
            assert (REPOSITORY / source).is_file()


def test_proxy_routes_chargers_to_the_gateways_and_staff_to_web() -> None:
    path = re.search(r"@chargers path_regexp (\S+)", CADDYFILE)
    assert path is not None
    for address in ("/ocpp/CP1", "//ocpp/CP1", "/ocpp//CP1/", "/ocpp"):
        assert re.search(path[1], address)
    for address in ("/admin/", "/ocppx", "/static/ocpp/x.css"):
        assert not re.search(path[1], address)
    assert set(re.findall(r"name (\w+)$|reverse_proxy (\w+):9000", CADDYFILE, re.MULTILINE)) == {
        ("gateway", ""),
        ("", "web"),
    }


@pytest.mark.live
def test_production_environment_passes_the_deployment_checks() -> None:
    result = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=REPOSITORY,
        env={"PATH": os.environ["PATH"], **production_environment("web")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
