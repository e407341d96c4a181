"""Run `manage.py check --deploy`, or another command, in the environment of docker-compose.yml's web service.

Variables that the file requires of its user (${NAME:?…}) get invented values. A warning is a failure.
"""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import yaml

REPOSITORY = Path(__file__).resolve().parent.parent
_INVENTED = {"SITE_ADDRESS": "charging.example.org", "SECRET_KEY": secrets.token_urlsafe(50)}


def production_environment(service: str) -> dict[str, str]:
    """Return the service's environment with every ${NAME…} replaced."""
    compose = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
    environment = compose["services"][service]["environment"]

    def fill(match: re.Match[str]) -> str:
        name, default = match["name"], match["default"]
        return _INVENTED.get(name, default if default is not None else "invented")

    pattern = re.compile(r"\$\{(?P<name>\w+)(?::?-(?P<default>[^}]*)|:?\?[^}]*)?\}")
    return {name: pattern.sub(fill, str(value)) for name, value in environment.items()}


if __name__ == "__main__":
    command = [sys.executable, "manage.py", *(sys.argv[1:] or ["check", "--deploy", "--fail-level", "WARNING"])]
    environment = {"PATH": os.environ["PATH"], **production_environment("web")}
    sys.exit(subprocess.run(command, cwd=REPOSITORY, env=environment, check=False).returncode)
