"""The ASGI application: HTTP by Django, WebSockets by the gateway, lifespan for servers such as uvicorn."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "evcharging.settings")

from django.core.asgi import get_asgi_application

http_application = get_asgi_application()  # before the imports below, which need the app registry

from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402

from evcharging.gateway.routing import websocket_urlpatterns  # noqa: E402
from evcharging.gateway.shutdown import stop_gateway  # noqa: E402
from evcharging.server.lifespan import Lifespan  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http_application,
        "websocket": URLRouter(websocket_urlpatterns),
        "lifespan": Lifespan(stop_gateway=stop_gateway),
    }
)
