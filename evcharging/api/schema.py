"""Additions to the OpenAPI schema of every operation: problems, Idempotency-Key, no additional members."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from evcharging.api.problems import CONTENT_TYPE


class ProblemErrorSerializer(serializers.Serializer):
    detail = serializers.CharField()
    pointer = serializers.CharField(required=False, help_text="JSON pointer into the body, as a URI fragment.")
    parameter = serializers.CharField(required=False, help_text="Name of the query parameter.")


class ProblemSerializer(serializers.Serializer):
    """RFC 9457 problem details."""

    type = serializers.CharField(help_text="about:blank, or urn:evcharging:problem:…")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    errors = ProblemErrorSerializer(many=True, required=False)  # type: ignore[assignment]


PROBLEMS = {
    "400": "Not valid: the body, a parameter or a header.",
    "401": "No valid token.",
    "403": "The token lacks the scope, or the user the permission.",
    "404": "There is no such resource.",
    "406": "JSON only.",
    "409": "The state of the resource does not allow this, or a request with the same Idempotency-Key is running.",
    "413": "The body is too large.",
    "415": "JSON only.",
    "422": "The Idempotency-Key was used for another request.",
    "429": "Too many requests; Retry-After says when to come again.",
}
WITH_BODY = {"409", "413", "415"}


class ApiSchema(AutoSchema):
    def get_override_parameters(self) -> list[Any]:
        parameters = list(super().get_override_parameters())
        if self.method == "POST":
            parameters.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
                    OpenApiParameter.HEADER,
                    description="Any text; the same POST with the same key gets the same answer for a day.",
                )
            )
        return parameters

    def _get_response_bodies(self, direction: Any = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        left_out = set() if self.method in ("POST", "PATCH") else WITH_BODY
        if self.method == "DELETE":
            left_out = {"413", "415"}
        if self.method != "POST":
            left_out = left_out | {"422"}
        if "{" not in self.path:
            left_out = left_out | {"404"}
        for status, description in PROBLEMS.items():
            if status not in bodies and status not in left_out:
                body = self._get_response_for_code(ProblemSerializer, status, [CONTENT_TYPE], direction)
                bodies[status] = {**body, "description": description}
        return bodies


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "evcharging.api.authentication.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "evc_…"}


class StaffScheme(OpenApiAuthenticationExtension):
    target_class = "evcharging.api.authentication.StaffAuthentication"
    name = "staff"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        return {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "Logged in to the admin."}


def allow_null_once(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Remove "or null" where any value is allowed: null would match both schemas of the oneOf."""
    for component in result.get("components", {}).get("schemas", {}).values():
        for member in component.get("properties", {}).values():
            if {} in member.get("oneOf", ()):
                del member["oneOf"]
    return result


def close_requests(result: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
    """Set additionalProperties to false in request bodies."""
    for name, component in result.get("components", {}).get("schemas", {}).items():
        if name.endswith("Request") and component.get("type") == "object":
            component["additionalProperties"] = False
    return result
