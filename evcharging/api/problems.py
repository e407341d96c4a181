"""All errors of the API as problem details (RFC 9457)."""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, TypeVar

import orjson
from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework import exceptions
from rest_framework.response import Response

T = TypeVar("T")

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:evcharging:problem:"
RETRY_S = 5


class Problem(exceptions.APIException):
    """An expected error with a type of its own, set by the subclass."""

    problem_type = ""


class Conflict(Problem):
    """The state of the resource does not allow the request."""

    status_code = 409
    default_detail = "The state of the resource does not allow this."

    def __init__(self, detail: str | None = None, *, problem_type: str = "conflict") -> None:
        super().__init__(detail)
        self.problem_type = problem_type


class NotFound(Problem):
    status_code = 404
    default_detail = "There is no such resource."


def found(row: T | None, noun: str) -> T:
    """Return the row of an address.

    :raises NotFound: there is none.
    """
    if row is None:
        raise NotFound(f"There is no such {noun}.")
    return row


class BodyTooLarge(Problem):
    status_code = 413
    default_detail = "The body is too large."


class Unavailable(Problem):
    status_code = 503
    default_detail = "The database is away; try again."
    wait = RETRY_S


class InvalidParameters(exceptions.ValidationError):
    """Invalid query parameters, of any method."""


class Replay(Exception):
    """Not an error: carries the stored answer of an earlier request."""

    def __init__(self, response: HttpResponse) -> None:
        super().__init__()
        self.response = response


def address_of(request: HttpRequest) -> str:
    """Return the path as it was sent, still encoded, without the query."""
    raw = getattr(request, "scope", {}).get("raw_path")
    return raw.decode("ascii", "replace") if raw else request.get_full_path().partition("?")[0]


def problem(
    request: HttpRequest,
    status: int,
    detail: str,
    *,
    problem_type: str = "",
    errors: list[dict[str, str]] | None = None,
) -> dict[str, Any]:
    """Return the members of a problem; without `problem_type` its type is about:blank."""
    members: dict[str, Any] = {
        "type": TYPE_PREFIX + problem_type if problem_type else "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": address_of(request),
    }
    if errors is not None:
        members["errors"] = errors
    return members


def problem_response(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    """Return a problem as Django's response, outside of Django REST framework."""
    return HttpResponse(orjson.dumps(problem(request, status, detail)), status=status, content_type=CONTENT_TYPE)


def exception_handler(error: Exception, context: dict[str, Any]) -> HttpResponseBase:
    """Return the problem of a view's exception; an unexpected one is logged and not disclosed."""
    request = context["request"]
    if isinstance(error, Replay):
        return error.response
    error = _expected(error, request)
    if isinstance(error, exceptions.ValidationError):
        of_query = isinstance(error, InvalidParameters) or request.method in ("GET", "HEAD")
        members = problem(
            request,
            error.status_code,
            "What was sent is not valid; `errors` says why.",
            problem_type="validation",
            errors=list(_errors(error.detail, "parameter" if of_query else "pointer")),
        )
    else:
        assert isinstance(error, exceptions.APIException)
        members = problem(
            request, error.status_code, str(error.detail), problem_type=getattr(error, "problem_type", "")
        )
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(int(error.wait))  # type: ignore[attr-defined]
    return Response(members, status=error.status_code, headers=headers, content_type=CONTENT_TYPE)


def _expected(error: Exception, request: Any) -> exceptions.APIException:
    if isinstance(error, exceptions.APIException):
        return error
    if isinstance(error, Http404):
        return exceptions.NotFound()
    if isinstance(error, PermissionDenied):
        return exceptions.PermissionDenied()
    if isinstance(error, RequestDataTooBig):
        return BodyTooLarge()
    if isinstance(error, OperationalError | InterfaceError):
        logger.warning("%s %s: database unavailable: %s", request.method, request.path, " ".join(str(error).split()))
        return Unavailable()
    logger.error("%s %s failed", request.method, request.path, exc_info=error)
    return exceptions.APIException("Something is wrong on our side; it is in the log.")


def _errors(detail: Any, where: str, path: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """Yield every message with its JSON pointer into the body, or its query parameter."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            whole = name == "non_field_errors"
            yield from _errors(inner, where, path if whole else (*path, str(name)))
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            nested = isinstance(inner, dict | list)
            if inner:
                yield from _errors(inner, where, (*path, str(index)) if nested else path)
    elif where == "parameter":
        yield {"detail": str(detail), "parameter": ".".join(path)}
    else:
        yield {"detail": str(detail), "pointer": "#" + "".join(f"/{_escaped(part)}" for part in path)}


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")
