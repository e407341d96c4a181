"""What `manage.py serve` shows of itself: its processes, the password of its first start, its login page."""

import http.cookiejar
import os
import re
import urllib.parse
import urllib.request
from pathlib import Path

from evcharging.embedded.process import command_line
from tests.support.live_server import LiveServer


def running(data_dir: Path) -> list[list[str]]:
    lines = (command_line(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return [line for line in lines if any(word.startswith(str(data_dir)) for word in line)]


def login(server: LiveServer, name: str, password: str) -> str:
    """Log in to the admin as a browser does, and return the address at which one ends up."""
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    address = f"{server.http}/admin/login/?next=/admin/"
    with browser.open(address) as page:
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token is not None
    form = {"username": name, "password": password, "csrfmiddlewaretoken": token[1], "next": "/admin/"}
    request = urllib.request.Request(address, urllib.parse.urlencode(form).encode(), {"Origin": server.http})
    with browser.open(request) as page:
        return str(page.url)


def password_shown(server: LiveServer) -> list[str]:
    return re.findall(r"user admin, password (\S+) \(shown this once\)", server.text())
