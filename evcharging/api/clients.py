"""The authenticated client of a request."""

from rest_framework.request import Request

from evcharging.api.models import ApiToken


class ApiClient:
    """A program with a token, in the place of Django's user."""

    is_authenticated = True
    is_active = True
    is_staff = False

    def __init__(self, token: ApiToken) -> None:
        self.owner = f"token:{token.pk}"
        self.name = f"api:{token.name}"

    def get_username(self) -> str:
        """Return the name that is stored with its actions (closed_by, requested_by)."""
        return self.name


def owner_of(request: Request) -> str:
    """Return a stable key of the client, for throttling and idempotency keys."""
    user = request.user
    return user.owner if isinstance(user, ApiClient) else f"user:{user.pk}"


def username_of(request: Request) -> str:
    """Return the name that is stored with the client's actions."""
    return str(request.user.get_username())
