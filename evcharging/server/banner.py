"""The banner with addresses and the first login, printed once the system is ready."""

import socket
import sys

from django.conf import settings
from django.urls import reverse

from evcharging.server.startup import FirstAdmin


def print_banner(admin: FirstAdmin | None) -> None:
    """Print it to stderr: stdout is the log, which must not have the password."""
    host = settings.BIND
    if host in ("0.0.0.0", "::"):
        host = settings.ALLOWED_HOSTS[0] if settings.BEHIND_TLS_PROXY else socket.gethostname()
    elif ":" in host:
        host = f"[{host}]"
    address = f"{host}:{settings.PORT}"
    prefix = "" if settings.DATA_DIR == settings.BASE_DIR / "var" else f"DATA_DIR={settings.DATA_DIR} "
    login = admin.login if admin else "with the account you have; a new one: manage.py createsuperuser"
    print(  # noqa: T201
        f"""
  Chargers connect to  ws://{address}/ocpp/<identity>
  Staff log in at      http://{address}{reverse("admin:index")}
                       {login}
  Try it with          {prefix}.venv/bin/python manage.py simulate --url ws://{address}/ocpp --stations 3
  Stop with            Ctrl-C
""",
        file=sys.stderr,
        flush=True,
    )
