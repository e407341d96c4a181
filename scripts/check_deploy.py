"""Run `manage.py check --deploy`, or another command, as docker-compose.yml would have the web service run it.

What the file asks its user for (${NAME:?…}) is made up here. A warning fails.
"""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
_MADE_UP = {"SITE_ADDRESS": "charging.example.org", "SECRET_KEY": secrets.token_urlsafe(50)}


def production_environment(service: str) -> dict[str, str]:
    """Return the service's environment with every ${NAME…} filled in."""
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    environment = compose["services"][service]["environment"]

    def fill(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        return _MADE_UP.get(name, default if default is not None else "made-up")

    pattern = re.compile(r"\$\{(?P<name>\w+)(?::?-(?P<default>[^}]*)|:?\?[^}]*)?\}")
    return {name: pattern.sub(fill, str(value)) for name, value in environment.items()}


if __name__ == "__main__":
    command = [sys.executable, "manage.py", *(sys.argv[1:] or ["check", "--deploy", "--fail-level", "WARNING"])]
    environment = {"PATH": os.environ["PATH"], **production_environment("web")}
    sys.exit(subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode)
