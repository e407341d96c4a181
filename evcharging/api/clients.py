"""Who is asking, once that is known."""

from rest_framework.request import Request

from evcharging.api.models import ApiToken


class ApiClient:
    """A program, where Django expects a user."""

    is_authenticated = True
    is_active = True
    is_staff = False

    def __init__(self, token: ApiToken) -> None:
        self.owner = f"token:{token.pk}"
        self.name = f"api:{token.name}"

    def get_username(self) -> str:
        """Return what stands where it acted (closed by …)."""
        return self.name


def owner_of(request: Request) -> str:
    """Return who is asking as a short text that stays the same."""
    user = request.user
    return user.owner if isinstance(user, ApiClient) else f"user:{user.pk}"


def username_of(request: Request) -> str:
    """Return the name that is kept with what was done."""
    return str(request.user.get_username())
