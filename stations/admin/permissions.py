"""The permission to command stations, the same on every page that offers a command."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from unfold.admin import ModelAdmin

COMMAND_PERMISSION = "stations.add_command"


def may_command(request: HttpRequest) -> bool:
    """Tell whether the user may command stations."""
    return request.user.has_perm(COMMAND_PERMISSION)


def require_command_permission(request: HttpRequest) -> None:
    """:raises PermissionDenied: the user may not command stations."""
    if not may_command(request):
        raise PermissionDenied


class CommandPermission(ModelAdmin):
    """Provides the permission "command" to the actions of a ModelAdmin."""

    def has_command_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return may_command(request)
