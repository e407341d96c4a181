"""What the API's tests share: a program with a token, and counting queries."""

import itertools
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from evcharging.api.services import create_api_token

ROOT = "/api/v1/"
_numbers = itertools.count(1)


class Program:
    """A program that uses the API with a token of these scopes."""

    def __init__(self, *scopes: str, name: str = "") -> None:
        self.name = name or f"program-{next(_numbers)}"
        self.token_row, self.token = create_api_token(
            name=self.name,
            scopes=scopes or ("read", "operate", "manage"),
            created_by="anna",
            expires_at=None,
            now=timezone.now(),
        )
        self.client = Client(headers={"Authorization": f"Bearer {self.token}"})

    def get(self, path: str, status: int = 200, **parameters: Any) -> Any:
        """Return the JSON of a GET."""
        return self._json(self.client.get(ROOT + path, parameters), status)

    def post(self, path: str, body: Any = None, status: int = 200, key: str | None = None) -> Any:
        """Return the JSON of a POST."""
        return self._json(self.send("post", path, body, key), status)

    def patch(self, path: str, body: Any, status: int = 200) -> Any:
        """Return the JSON of a PATCH."""
        return self._json(self.send("patch", path, body), status)

    def delete(self, path: str, status: int = 204) -> Any:
        """Return the JSON of a DELETE, None where there is none."""
        return self._json(self.send("delete", path), status)

    def send(self, method: str, path: str, body: Any = None, key: str | None = None) -> Any:
        """Return the response."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return getattr(self.client, method)(
            ROOT + path, data={} if body is None else body, content_type="application/json", headers=headers
        )

    def ids(self, path: str, member: str, **parameters: Any) -> list[Any]:
        """Return one member of every row, page after page."""
        found, url = [], ROOT + path
        response = self.client.get(url, parameters)
        while True:
            page = self._json(response, 200)
            found += [row[member] for row in page["results"]]
            if page["next"] is None:
                return found
            response = self.client.get(page["next"])

    def _json(self, response: Any, status: int) -> Any:
        assert response.status_code == status, (response.status_code, response.content)
        kind = "application/problem+json" if status >= 400 else "application/json"
        if response.content:
            assert response["Content-Type"] == kind
            return response.json()
        return None


def name(text: str) -> str:
    """Return a name as it stands in an address."""
    return quote(text, safe="")


def errors(problem: dict[str, Any]) -> dict[str, str]:
    """Return what a problem says is wrong, by pointer or parameter."""
    return {error.get("pointer") or error.get("parameter", ""): error["detail"] for error in problem["errors"]}


def queries_grow(program: Program, path: str, make: Callable[[int], object], **parameters: Any) -> int:
    """Return how many queries more a list runs for 20 rows than for 1; `make(number)` makes a row."""
    counts = []
    for numbers in (range(1), range(1, 20)):
        _make_all(make, numbers)
        program.get(path, **parameters)
        with CaptureQueriesContext(connection) as captured:
            rows = program.get(path, **parameters)["results"]
        assert len(rows) == numbers.stop
        counts.append(len(captured))
    return counts[1] - counts[0]


def _make_all(make: Callable[[int], object], numbers: Iterable[int]) -> None:
    for number in numbers:
        make(number)
