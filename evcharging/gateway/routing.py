"""Which consumer serves which path."""

from django.urls import re_path

from evcharging.gateway.consumers import ChargePointConsumer, UnknownPathConsumer

websocket_urlpatterns = [
    # Everything below /ocpp: chargers add slashes, segments and whole URLs before their identity.
    re_path(r"^/*ocpp(?:/.*)?$", ChargePointConsumer.as_asgi()),  # type: ignore[arg-type]
    re_path(r"", UnknownPathConsumer.as_asgi()),  # type: ignore[arg-type]
]
