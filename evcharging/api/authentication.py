"""Authentication by token (Authorization: Bearer …) or by the session of staff in the admin."""

from django.utils import timezone
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, SessionAuthentication, get_authorization_header
from rest_framework.request import Request

from evcharging.api.clients import ApiClient
from evcharging.api.models import ApiToken
from evcharging.api.selectors import find_token
from evcharging.api.services import note_token_used
from evcharging.api.throttling import count_failed_authentication


class BearerAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[ApiClient, ApiToken] | None:
        """Return client and token, or None without the header or with another scheme.

        :raises AuthenticationFailed: the token is unknown, expired or revoked. :raises Throttled: too often.
        """
        scheme, _, text = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != "bearer":
            return None
        now = timezone.now()
        token = find_token(token=text.strip(), now=now)
        if token is None:
            wait = count_failed_authentication(request.META.get("REMOTE_ADDR", ""))
            if wait is not None:
                raise exceptions.Throttled(wait, "Too many wrong tokens from this address.")
            raise exceptions.AuthenticationFailed("The token is unknown, expired or revoked.")
        note_token_used(token=token, now=now)
        return ApiClient(token), token

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="evcharging"'


class StaffAuthentication(SessionAuthentication):
    """The session of the admin, for the API's documentation page; writing requests need the CSRF token."""

    def authenticate(self, request: Request) -> tuple[object, None] | None:
        user = getattr(request._request, "user", None)
        if user is None or not user.is_active or not user.is_staff:
            return None
        self.enforce_csrf(request)
        return user, None
