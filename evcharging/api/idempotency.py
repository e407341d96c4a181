"""Idempotency-Key: a repeated POST gets the stored answer of the first one and has no further effect.

The claim of a key is committed before the view runs, and the answer is stored after it, so that no database
transaction is open while a view waits for a charger. If the process dies in between, the claim expires and a repeated
request runs the view again: it should then find what it has created by its values, or by `idempotency_id`.
"""

import hashlib
import re
from typing import Any

import orjson
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from evcharging.api.clients import owner_of
from evcharging.api.models import IdempotencyKey
from evcharging.api.problems import Conflict, Problem, Replay, address_of
from evcharging.api.services import (
    KeyInProgress,
    KeyReused,
    claim_idempotency_key,
    release_idempotency_key,
    store_answer,
)

HEADER = "Idempotency-Key"
KEPT_HEADERS = ("Content-Type", "Location")
_KEY = re.compile(r"[\x21-\x7e]{1,255}")


class KeyOfAnotherRequest(Problem):
    status_code = 422
    default_detail = "The Idempotency-Key was used for another request."
    problem_type = "idempotency-key-reused"


class StillRunning(Conflict):
    wait = 1

    def __init__(self) -> None:
        super().__init__(
            "The first request with this Idempotency-Key has no answer yet.", problem_type="idempotency-key-in-use"
        )


def claim(request: Request) -> IdempotencyKey | None:
    """Claim the request's key; return None if it has none.

    :raises Replay: there is an answer. :raises KeyOfAnotherRequest: :raises StillRunning: :raises ParseError:
    """
    key = request.headers.get(HEADER)
    if key is None:
        return None
    if not _KEY.fullmatch(key):
        raise exceptions.ParseError(f"{HEADER} has 1 to 255 visible ASCII characters.")
    try:
        row = claim_idempotency_key(
            owner=owner_of(request), key=key, fingerprint=_fingerprint(request), now=timezone.now()
        )
    except KeyReused:
        raise KeyOfAnotherRequest from None
    except KeyInProgress:
        raise StillRunning from None
    if row.status is None:
        return row
    answer = HttpResponse(row.body, status=row.status)
    for name, value in row.headers.items():
        answer[name] = value
    answer["Idempotent-Replayed"] = "true"
    raise Replay(answer)


def keep(row: IdempotencyKey, response: HttpResponseBase) -> None:
    """Store the answer once it is rendered; after a 5xx release the key, so that the request can be repeated."""
    if response.status_code >= 500:
        release_idempotency_key(row=row)
    elif isinstance(response, Response):
        response.add_post_render_callback(lambda rendered: _store(row, rendered))
    else:
        _store(row, response)


def _store(row: IdempotencyKey, response: Any) -> None:
    headers = {name: response[name] for name in KEPT_HEADERS if name in response}
    store_answer(row=row, status=response.status_code, headers=headers, body=response.content.decode())


def _fingerprint(request: Request) -> str:
    """Return a digest of method, path, query and body, whatever the order of the body's members."""
    body = orjson.dumps(request.data, option=orjson.OPT_SORT_KEYS)
    parts = [str(request.method), address_of(request._request), request.META.get("QUERY_STRING", "")]
    return hashlib.sha256("\n".join(parts).encode() + b"\n" + body).hexdigest()
