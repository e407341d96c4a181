"""One function per Action of OCPP 1.6 and its security extension: translate, one domain call, answer."""

import asyncio
import logging
from datetime import UTC, datetime

from evcharging.gateway.database.thread_pool import until_committed
from evcharging.gateway.handler import EMPTY, Answer, Handler, Message
from evcharging.gateway.ocpp16 import translate
from id_tags.services.presented_tags import authorize_presented
from meter.services.readings import MeterMessage
from stations.models import NoticeKind
from stations.services.reports import BootMessage, record_certificate_request, record_data_transfer, record_notice
from status_notifications.services.statuses import StatusMessage
from transactions.services.start import ConnectionSuperseded
from transactions.services.start import start_transaction as store_start
from transactions.services.stop import stop_transaction as store_stop
from transactions.types import StartMessage, StopMessage

logger = logging.getLogger(__name__)


async def boot_notification(message: Message) -> Answer:
    """BootNotification, OCPP 1.6 §4.2: stored, and answered with the station's registration status."""
    connection = message.connection
    report = translate.boot(message.payload)
    answer = await message.lanes.boots.submit(
        BootMessage(connection.station.station_id, report, message.original, message.received_at)
    )
    connection.on_boot(answer.status, report.firmware_version, message.received_at)
    return Answer({"status": answer.status, "currentTime": now_text(), "interval": answer.interval_s})


async def heartbeat(message: Message) -> Answer:
    """Heartbeat, OCPP 1.6 §4.6; costs no SQL: that the station lives is written with everybody's in one go."""
    return Answer({"currentTime": now_text()})


async def status_notification(message: Message) -> Answer:
    """StatusNotification, OCPP 1.6 §4.9: stored in the history; the latest in time is the connector's."""
    connection = message.connection
    report = translate.status(message.payload, zone=connection.zone, deviations=message.deviations)
    connection.clock_drift.observe(reported_at=report.reported_at, received_at=message.received_at, is_live=True)
    stored = await message.lanes.statuses.submit(StatusMessage(message.received, report))
    if not stored:
        raise ConnectionSuperseded
    return EMPTY


async def authorize_id_tag(message: Message) -> Answer:
    """Authorize, OCPP 1.6 §4.1: an unknown tag is Invalid, and counted for staff to add."""
    authorization = await until_committed(
        authorize_presented,
        id_tag=message.payload["idTag"],
        station_id=message.connection.station.station_id,
        now=message.received_at,
    )
    return Answer({"idTagInfo": translate.id_tag_info(authorization.told())})


async def start_transaction(message: Message) -> Answer:
    """StartTransaction, OCPP 1.6 §4.8: always a transaction id, also for a refused tag."""
    connection = message.connection
    report = translate.start(
        message.payload, original=message.original, zone=connection.zone, deviations=message.deviations
    )
    connection.clock_drift.observe(reported_at=report.reported_at, received_at=message.received_at, is_live=False)
    start = StartMessage(message.received, report)
    started = await message.lanes.starts.submit(start)
    if started is None:
        started = await until_committed(store_start, **start._asdict())
    if connection.station.response_delay_ms:
        await asyncio.sleep(connection.station.response_delay_ms / 1000)
    return Answer(
        {"transactionId": started.transaction_id, "idTagInfo": translate.id_tag_info(started.authorization)},
        may_be_remembered=started.is_cacheable,
    )


async def stop_transaction(message: Message) -> Answer:
    """StopTransaction, OCPP 1.6 §4.10: always an answer, also for an unknown id."""
    connection = message.connection
    report = translate.stop(
        message.payload, original=message.original, zone=connection.zone, deviations=message.deviations
    )
    connection.clock_drift.observe(reported_at=report.reported_at, received_at=message.received_at, is_live=False)
    stop = StopMessage(message.received, report, message.original)
    stopped = await message.lanes.stops.submit(stop)
    if stopped is None:
        stopped = await until_committed(store_stop, **stop._asdict())
    if stopped.transaction_id is None or stopped.transaction_id != report.transaction_id:
        logger.warning(
            "%s stopped transaction %s, which it does not have: %s",
            connection.station.identity,
            report.transaction_ref[:64],
            "kept for review" if stopped.transaction_id is None else f"taken for {stopped.transaction_id}",
        )
    return (
        EMPTY if stopped.authorization is None else Answer({"idTagInfo": translate.id_tag_info(stopped.authorization)})
    )


async def meter_values(message: Message) -> Answer:
    """MeterValues, OCPP 1.6 §4.7: every sample is stored once, in the series of its words."""
    connector_id, transaction_id, transaction_ref, readings = translate.readings(
        message.payload, original=message.original, zone=message.connection.zone, deviations=message.deviations
    )
    stored = await message.lanes.meter_values.submit(
        MeterMessage(message.received, connector_id, transaction_id, transaction_ref, readings),
        weight=1 + len(readings),
    )
    if not stored:
        raise ConnectionSuperseded
    return EMPTY


async def data_transfer(message: Message) -> Answer:
    """DataTransfer, OCPP 1.6 §4.3: no vendor's messages are understood yet; all are stored."""
    transfer = translate.data_transfer(message.payload)
    name = f"{transfer.vendor_id} {transfer.message_id}".strip()
    await until_committed(
        record_data_transfer,
        station_id=message.connection.station.station_id,
        unique_id=message.unique_id,
        payload=message.original,
        received_at=message.received_at,
        detail=f"{name}: {transfer.data}" if transfer.data else name,
    )
    return Answer({"status": "UnknownVendorId"})


async def progress(message: Message, kind: NoticeKind) -> Answer:
    """A progress notification of firmware, diagnostics or logs (OCPP 1.6 §4.4, §4.5, security white paper)."""
    report = translate.progress(kind, message.payload)
    await until_committed(
        record_notice,
        station_id=message.connection.station.station_id,
        kind=kind,
        unique_id=message.unique_id,
        payload=message.original,
        received_at=message.received_at,
        status=report.status,
        request_id=report.request_id,
    )
    return EMPTY


async def security_event_notification(message: Message) -> Answer:
    """SecurityEventNotification, security white paper: stored as a notice."""
    event = translate.security_event(message.payload, zone=message.connection.zone, deviations=message.deviations)
    await until_committed(
        record_notice,
        station_id=message.connection.station.station_id,
        kind=NoticeKind.SECURITY_EVENT,
        unique_id=message.unique_id,
        payload=message.original,
        received_at=message.received_at,
        status=event.type,
        detail=event.tech_info,
        reported_at=event.reported_at,
    )
    return EMPTY


async def sign_certificate(message: Message) -> Answer:
    """SignCertificate, security white paper: the request is kept; nothing signs yet."""
    await until_committed(
        record_certificate_request,
        station_id=message.connection.station.station_id,
        csr=translate.sign_certificate(message.payload).csr,
        received_at=message.received_at,
    )
    return Answer({"status": "Accepted"})


def _progress(kind: NoticeKind, source: str) -> Handler:
    async def handle(message: Message) -> Answer:
        return await progress(message, kind)

    handle.__doc__ = f"Progress, {source}: stored as a notice, and noted on the command it tells about."
    return Handler(handle, is_remembered=True)


HANDLERS = {
    "Authorize": Handler(authorize_id_tag),
    "BootNotification": Handler(boot_notification),
    "DataTransfer": Handler(data_transfer, is_remembered=True),
    "DiagnosticsStatusNotification": _progress(NoticeKind.DIAGNOSTICS, "OCPP 1.6 §4.4"),
    "FirmwareStatusNotification": _progress(NoticeKind.FIRMWARE, "OCPP 1.6 §4.5"),
    "Heartbeat": Handler(heartbeat, is_high_volume=True),
    "LogStatusNotification": _progress(NoticeKind.LOG, "security white paper"),
    "MeterValues": Handler(meter_values, is_high_volume=True),
    "SecurityEventNotification": Handler(security_event_notification, is_remembered=True),
    "SignCertificate": Handler(sign_certificate, is_remembered=True),
    "SignedFirmwareStatusNotification": _progress(
        NoticeKind.SIGNED_FIRMWARE, "SignedFirmwareStatusNotification, security white paper"
    ),
    "StartTransaction": Handler(start_transaction, is_remembered=True, is_queued=True),
    "StatusNotification": Handler(status_notification, is_high_volume=True),
    "StopTransaction": Handler(stop_transaction, is_remembered=True, is_queued=True),
}
"""Every Action a 1.6 charger may send; docs/ocpp-coverage.md is generated from it."""


def now_text() -> str:
    """Return the current time as OCPP wants it."""
    now = datetime.now(UTC)
    return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"
