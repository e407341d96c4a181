"""What the gateway does when something happened in the apps."""

from collections.abc import Iterable
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.dispatch import receiver

from evcharging.gateway.process import running_process
from evcharging.gateway.redis_state.answers import forget_answers
from stations.models import Station
from stations.signals import commands_queued, station_changed
from transactions.signals import transactions_stopped
from transactions.types import Stopped


@receiver(transactions_stopped)
def forget_answers_of_stations(*, stopped: list[Stopped], **kwargs: Any) -> None:
    """After a transaction's end the same frame may mean a new start."""
    station_ids = [each.station_id for each in stopped]
    process = running_process()
    if process is None:
        forget_answers(station_ids)
    else:  # no thread waits for a Redis that hangs; it is done before the station's next message is looked up
        process.loop.call_soon_threadsafe(process.answers.forget, station_ids)


@receiver(station_changed)
def notify_connection(*, station_id: int, **kwargs: Any) -> None:
    """Tell the process that holds the socket that staff changed the station; it reloads the row."""
    for channel in _channels([station_id]):
        _send(channel, {"type": "station.changed", "station_id": station_id})


@receiver(commands_queued)
def notify_of_commands(*, station_ids: list[int], **kwargs: Any) -> None:
    """Notify the connections that can send the commands: here directly, elsewhere by the channel layer.

    A lost notification costs a delay: every process looks for queued commands every few seconds.
    """
    process = running_process()
    for channel, ids in _channels(station_ids).items():
        if process is not None and channel == process.channel:
            process.loop.call_soon_threadsafe(process.notify, ids)
        else:
            _send(channel, {"type": "commands.queued", "station_ids": ids})


def _channels(station_ids: Iterable[int]) -> dict[str, list[int]]:
    """Return which gateway process holds which of these stations."""
    connected = Station.objects.filter(pk__in=list(station_ids), disconnected_at=None).exclude(gateway_channel="")
    found: dict[str, list[int]] = {}
    for channel, station_id in connected.values_list("gateway_channel", "pk"):
        found.setdefault(channel, []).append(station_id)
    return found


def _send(channel: str, message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is not None:
        async_to_sync(layer.send)(channel, message)
