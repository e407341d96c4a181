"""Authorisation by the scopes of a token, or the permissions of staff."""

from typing import Any

from rest_framework import exceptions
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from evcharging.api.models import ApiToken, Scope

STAFF_VERBS = {"GET": "view", "HEAD": "view", "POST": "add", "PATCH": "change", "DELETE": "delete"}


class MayDo(BasePermission):
    """A token needs a scope, staff the permission on the view's model.

    Reading needs the scope `read`, writing the view's `write_scope`. `staff_verb` replaces the verb that the method
    implies, for a POST that changes a row.
    """

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        reads = request.method in SAFE_METHODS
        if isinstance(request.auth, ApiToken):
            needed = Scope.READ if reads else view.write_scope
            if needed not in request.auth.scopes:
                raise exceptions.PermissionDenied(f"The token lacks the scope {needed.value!r}.")
            return True
        model = view.queryset.model._meta
        verb = STAFF_VERBS.get(str(request.method), "change")
        if view.staff_verb and not reads:
            verb = view.staff_verb
        return bool(request.user.has_perm(f"{model.app_label}.{verb}_{model.model_name}"))


class AnyClient(BasePermission):
    """Allows every valid token and all staff."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)
