"""For all paths of the API, found or not: names are decoded, and errors are problem details."""

from collections.abc import Callable
from http import HTTPStatus

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from evcharging.api.addresses import BadPath, escaped_path
from evcharging.api.problems import CONTENT_TYPE, problem_response

ROOT = "/api/v1/"
DETAILS = {
    400: "The request is not valid.",
    403: "This is not allowed.",
    404: "There is nothing at this address. Addresses end with a slash.",
    413: "The body is too large.",
}


class ApiMiddleware:
    """Wraps the middleware that may refuse a request (host names, TLS), so that its errors are problem details too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(ROOT):
            return self.get_response(request)
        try:
            request.path_info = escaped_path(request)
        except BadPath as error:
            return problem_response(request, 400, str(error))
        if not request.path_info.endswith("/"):  # a redirect would drop the body of a POST
            return problem_response(request, 404, DETAILS[404])
        response = self.get_response(request)
        kind = response.headers.get("Content-Type", "")
        if response.status_code >= 400 and not kind.startswith((CONTENT_TYPE, "application/json")):
            detail = DETAILS.get(response.status_code, HTTPStatus(response.status_code).phrase)
            replaced = problem_response(request, response.status_code, detail)
            if "Allow" in response.headers:
                replaced["Allow"] = response["Allow"]
            return replaced
        return response
