"""The stack that comes to mind first: AsyncWebsocketConsumer, the `ocpp` package's ChargePoint, the ORM, Daphne.

    DATABASE_NAME=… DATABASE_HOST=… DATABASE_PASSWORD=… python -m bench.apps.obvious --port PORT

Every message is validated, handled and stored by itself and then answered. It knows no tags, no resends, no
transactions that are already there, and keeps its database connections: less than what it is compared with does.
"""

import argparse
import os
from datetime import UTC, datetime
from typing import Any

import django
from django.conf import settings

if __name__ == "__main__":
    settings.configure(
        SECRET_KEY="bench",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        INSTALLED_APPS=["channels"],
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "NAME": os.environ["DATABASE_NAME"],
                "HOST": os.environ["DATABASE_HOST"],
                "USER": "evcharging",
                "PASSWORD": os.environ["DATABASE_PASSWORD"],
                "CONN_MAX_AGE": None,
            }
        },
    )
    django.setup()

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application
from django.db import connection, models
from django.urls import re_path
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result


class Boot(models.Model):
    """One BootNotification."""

    identity = models.CharField(max_length=255)
    payload = models.JSONField()

    class Meta:
        app_label = "obvious"


class Status(models.Model):
    """One StatusNotification."""

    identity = models.CharField(max_length=255)
    connector_id = models.IntegerField()
    status = models.CharField(max_length=20)
    error_code = models.CharField(max_length=50)
    timestamp = models.DateTimeField(null=True)

    class Meta:
        app_label = "obvious"


class Transaction(models.Model):
    """One charging session."""

    identity = models.CharField(max_length=255)
    connector_id = models.IntegerField()
    id_tag = models.CharField(max_length=20)
    meter_start = models.IntegerField()
    started_at = models.DateTimeField()
    meter_stop = models.IntegerField(null=True)
    stopped_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=20, blank=True)

    class Meta:
        app_label = "obvious"


class MeterValue(models.Model):
    """One sample."""

    identity = models.CharField(max_length=255)
    connector_id = models.IntegerField()
    transaction_id = models.IntegerField(null=True)
    timestamp = models.DateTimeField()
    measurand = models.CharField(max_length=50)
    phase = models.CharField(max_length=10, blank=True)
    location = models.CharField(max_length=10, blank=True)
    context = models.CharField(max_length=20, blank=True)
    unit = models.CharField(max_length=20, blank=True)
    value = models.FloatField()

    class Meta:
        app_label = "obvious"
        indexes = [models.Index(fields=["identity", "timestamp"], name="obvious_meter_by_time")]


class Handlers(ChargePoint):
    """The handlers of one charger."""

    @on("BootNotification")
    async def boot(self, **payload: Any) -> call_result.BootNotification:
        await database_sync_to_async(Boot._default_manager.create)(identity=self.id, payload=payload)
        return call_result.BootNotification(datetime.now(UTC).isoformat(), 300, "Accepted")

    @on("Heartbeat")
    async def heartbeat(self) -> call_result.Heartbeat:
        return call_result.Heartbeat(datetime.now(UTC).isoformat())

    @on("Authorize")
    async def authorize(self, id_tag: str) -> call_result.Authorize:
        return call_result.Authorize({"status": "Accepted"})

    @on("StatusNotification")
    async def status(
        self, connector_id: int, error_code: str, status: str, timestamp: str | None = None, **rest: Any
    ) -> call_result.StatusNotification:
        await database_sync_to_async(Status._default_manager.create)(
            identity=self.id, connector_id=connector_id, error_code=error_code, status=status, timestamp=timestamp
        )
        return call_result.StatusNotification()

    @on("StartTransaction")
    async def start(
        self, connector_id: int, id_tag: str, meter_start: int, timestamp: str, **rest: Any
    ) -> call_result.StartTransaction:
        row = await database_sync_to_async(Transaction._default_manager.create)(
            identity=self.id,
            connector_id=connector_id,
            id_tag=id_tag,
            meter_start=meter_start,
            started_at=timestamp,
        )
        return call_result.StartTransaction(row.pk, {"status": "Accepted"})

    @on("StopTransaction")
    async def stop(
        self, meter_stop: int, timestamp: str, transaction_id: int, reason: str = "Local", **rest: Any
    ) -> call_result.StopTransaction:
        row = await database_sync_to_async(Transaction._default_manager.get)(pk=transaction_id, identity=self.id)
        row.meter_stop, row.stopped_at, row.reason = meter_stop, timestamp, reason
        await database_sync_to_async(row.save)()
        return call_result.StopTransaction()

    @on("MeterValues")
    async def meter_values(
        self, connector_id: int, meter_value: list[dict[str, Any]], transaction_id: int | None = None
    ) -> call_result.MeterValues:
        rows = [
            MeterValue(
                identity=self.id,
                connector_id=connector_id,
                transaction_id=transaction_id,
                timestamp=datetime.fromisoformat(each["timestamp"]),
                measurand=sample.get("measurand", "Energy.Active.Import.Register"),
                phase=sample.get("phase", ""),
                location=sample.get("location", ""),
                context=sample.get("context", ""),
                unit=sample.get("unit", ""),
                value=float(sample["value"]),
            )
            for each in meter_value
            for sample in each["sampled_value"]
        ]
        await database_sync_to_async(MeterValue._default_manager.bulk_create)(rows)
        return call_result.MeterValues()


class ObviousConsumer(AsyncWebsocketConsumer):
    """One charger's connection."""

    async def connect(self) -> None:
        self.charge_point = Handlers(self.scope["url_route"]["kwargs"]["identity"], self)
        await self.accept("ocpp1.6")

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        await self.charge_point.route_message(text_data)

    # `send` of the consumer is what ChargePoint sends its answers with.


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    arguments = parser.parse_args()
    with connection.schema_editor() as editor:
        for model in (Boot, Status, Transaction, MeterValue):
            editor.create_model(model)
    http = get_asgi_application()
    websockets = URLRouter([re_path(r"^ocpp/(?P<identity>[^/]+)$", ObviousConsumer.as_asgi())])  # type: ignore[arg-type]
    application = ProtocolTypeRouter({"http": http, "websocket": websockets})
    from daphne.server import Server  # it installs the reactor when imported

    endpoint = f"tcp:port={arguments.port}:interface=127.0.0.1:backlog=4096"
    Server(application, endpoints=[endpoint], websocket_timeout=-1).run()


if __name__ == "__main__":
    main()
