"""What a person is told once the system runs."""

import socket
import sys

from django.conf import settings
from django.urls import reverse

from evcharging.server.startup import FirstAdmin


def say_what_to_do_next(admin: FirstAdmin | None) -> None:
    """Tell a person, on stderr: stdout is for logs, and a password is none."""
    host = settings.BIND
    if host in ("0.0.0.0", "::"):
        host = settings.ALLOWED_HOSTS[0] if settings.BEHIND_TLS_PROXY else socket.gethostname()
    elif ":" in host:
        host = f"[{host}]"
    at = f"{host}:{settings.PORT}"
    prefix = "" if settings.DATA_DIR == settings.BASE_DIR / "var" else f"DATA_DIR={settings.DATA_DIR} "
    login = (
        f"user {admin.name}, password {admin.password} (shown this once)"
        if admin
        else "with the account you have; a new one: manage.py createsuperuser"
    )
    print(  # noqa: T201
        f"""
  Chargers connect to  ws://{at}/ocpp/<identity>
  Staff log in at      http://{at}{reverse("admin:index")}
                       {login}
  Try it with          {prefix}.venv/bin/python manage.py simulate --url ws://{at}/ocpp --stations 3
  Stop with            Ctrl-C
""",
        file=sys.stderr,
        flush=True,
    )
