"""Helpers of the back office's tests: users with few permissions, query counts, what a page shows."""

import html
import re
from collections.abc import Callable

from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext


def staff(*permissions: str) -> Client:
    """Return the client of a logged-in user with these permissions ("stations.view_station")."""
    user = User.objects.create_user(f"staff-{User.objects.count()}", password="x", is_staff=True)
    for permission in permissions:
        app_label, _, codename = permission.partition(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app_label, codename=codename))
    client = Client()
    client.force_login(user)
    return client


def page(client: Client, path: str, status: int = 200) -> str:
    """Return the HTML of a page."""
    response = client.get(path)
    assert response.status_code == status, (path, response.status_code, response.headers.get("location"))
    return response.content.decode()


def queries(client: Client, path: str) -> int:
    """Return the number of queries that a page runs."""
    with CaptureQueriesContext(connection) as captured:
        page(client, path)
    return len(captured)


def queries_grow(client: Client, path: str, make: Callable[[int], object]) -> int:
    """Return how many queries more a list runs for 20 rows than for 2; `make(number)` makes a row."""
    for number in range(2):
        make(number)
    page(client, path)  # the first request fills the cache of content types
    few = queries(client, path)
    for number in range(2, 20):
        make(number)
    return queries(client, path) - few


def messages(client: Client) -> list[str]:
    """Return the messages that an action left for the next page."""
    text = client.get("/admin/").content.decode()
    found = re.findall(r'<div class="(?:errornote )?mb-3 px-3 py-2.5 [^"]*">(.*?)</div>', text, re.S)
    return [html.unescape(message).strip() for message in found]


def table_rows(text: str, pattern: str = r'<tr class="data-row.*?</tr>') -> list[list[str]]:
    """Return the text of each cell, row by row, of a list."""
    rows = re.findall(pattern, text, re.S)
    found = []
    for row in rows:
        cells = re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.S)
        found.append([" ".join(html.unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in cells])
    return found


def findings(text: str) -> list[str]:
    """Return the findings at the top of a row's page."""
    return [html.unescape(found) for found in re.findall(r'<li class="bo-finding bo-\w+">(.*?)</li>', text)]


def read_only(text: str, label: str) -> str:
    """Return what a row's page shows of a column that nobody writes."""
    pattern = rf'<label[^>]*>{re.escape(label)}</label>.*?<div class="readonly[^>]*>(.*?)</div>'
    found = re.search(pattern, text, re.S)
    assert found is not None, label
    return html.unescape(re.sub(r"<[^>]+>", " ", found[1])).strip()
