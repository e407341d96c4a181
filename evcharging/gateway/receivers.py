"""What the gateway does when something happened in the apps."""

from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.dispatch import receiver

from evcharging.gateway.idempotency import forget_answers
from stations.models import Station
from stations.signals import station_changed
from transactions.signals import transaction_stopped


@receiver(transaction_stopped)
def forget_answers_of_station(*, station_id: int, **kwargs: Any) -> None:
    """After a transaction's end the same frame may mean a new start."""
    forget_answers(station_id)


@receiver(station_changed)
def ring_connection(*, station_id: int, **kwargs: Any) -> None:
    """Tell the process that holds the socket that staff changed the station; it reloads the row."""
    channel = Station.objects.filter(pk=station_id, disconnected_at=None).values_list("gateway_channel", flat=True)
    layer, name = get_channel_layer(), channel.first()
    if layer is not None and name:
        async_to_sync(layer.send)(name, {"type": "station.changed", "station_id": station_id})
