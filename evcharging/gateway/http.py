"""What a plain HTTP request at the chargers' address is told."""

from django.http import HttpRequest, HttpResponse
from django.urls import re_path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def upgrade_required(request: HttpRequest) -> HttpResponse:
    """A browser, a probe, or a charger whose proxy drops the Upgrade header: 426 says what is missing."""
    return HttpResponse(
        "This address takes WebSocket connections: ws://…/ocpp/<identity>\n",
        status=426,
        content_type="text/plain; charset=utf-8",
        headers={"Upgrade": "websocket"},
    )


http_urlpatterns = [re_path(r"^/*ocpp(?:/.*)?$", upgrade_required)]
