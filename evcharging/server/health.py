"""/healthz: the process runs. /readyz: database and migrations are ready; Redis is reported and not required."""

import threading
from collections.abc import Callable

from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django_redis import get_redis_connection
from redis.exceptions import RedisError

_started = threading.Event()


def mark_ready() -> None:
    """Mark this process as ready: migrations are applied."""
    _started.set()


def ready() -> bool:
    """Tell whether this process has finished its start; until then the gateway refuses chargers."""
    return _started.is_set()


class HealthMiddleware:
    """Answers both paths before the middleware that could refuse a probe: host names, TLS redirect, sessions."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path == "/healthz":
            return HttpResponse("ok\n", content_type="text/plain")
        if request.path == "/readyz":
            return _readiness()
        return self.get_response(request)


def _readiness() -> JsonResponse:
    states = {
        "database": _database_state(),
        "migrations": "applied" if ready() else "pending",
        "redis": "ok" if _redis_answers() else "away",
    }
    response = JsonResponse(states, status=200 if states["database"] == "ok" else 503)
    response._has_been_logged = True  # type: ignore[attr-defined]  # Django would log the 503 of a probe as an error
    return response


def _database_state() -> str:
    if not ready():  # a connection would start the embedded server, which the start thread is about to do
        return "starting"
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "away"
    return "ok"


def _redis_answers() -> bool:
    try:
        return bool(get_redis_connection("default").ping())
    except (RedisError, ImproperlyConfigured):
        return False
