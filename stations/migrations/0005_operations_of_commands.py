from typing import Any

from django.db import migrations

from stations.secrets import MASK, is_secret, seal
from stations.migrations._operations_of_ocpp16 import arguments_of, operation_of

VERSION = "ocpp1.6"
BATCH = 2000
# What an answer meant, so that old commands read as new ones do.
VERDICTS = """
    UPDATE stations_command SET verdict = CASE
        WHEN result_status IN ('Accepted', 'AcceptedCanceled', 'Unlocked') THEN 'accepted'
        WHEN result_status = '' THEN CASE WHEN succeeded THEN 'accepted' ELSE 'unknown' END
        WHEN result_status = 'Scheduled' THEN 'scheduled'
        WHEN result_status = 'RebootRequired' THEN 'after_reboot'
        WHEN result_status IN ('NotSupported', 'NotImplemented') THEN 'not_supported'
        WHEN result_status IN ('NotFound', 'Unknown') THEN 'not_found'
        WHEN result_status = 'VersionMismatch' OR (action = 'SendLocalList' AND result_status = 'Failed')
            THEN 'out_of_step'
        ELSE 'rejected' END
    WHERE status = 'answered' AND error IS NULL
"""


def say(apps: Any, schema_editor: Any) -> None:
    """Give every command and batch its operation; a frame that no operation says is kept as it is written."""
    Command, CommandBatch = apps.get_model("stations", "Command"), apps.get_model("stations", "CommandBatch")
    last = -1
    while True:
        rows = list(Command.objects.filter(number__gt=last).order_by("number")[:BATCH])
        if not rows:
            break
        for row in rows:
            _say(row)
            row.version = VERSION
        Command.objects.bulk_update(rows, ["operation", "arguments", "raw_version", "version"], batch_size=500)
        last = rows[-1].number
    batches = list(CommandBatch.objects.all())
    for batch in batches:
        _say(batch)
        _seal(batch)
    CommandBatch.objects.bulk_update(
        batches, ["operation", "arguments", "raw_version", "payload", "sealed"], batch_size=500
    )
    schema_editor.execute(VERDICTS)
    Station = apps.get_model("stations", "Station")
    Station.objects.exclude(connected_at=None).update(version=VERSION)
    Station.objects.filter(assume_ocpp16=True).update(assumed_version=VERSION)


def _say(row: Any) -> None:
    # What staff insisted on is nobody's to interpret, and was never held to a type.
    arguments = None if row.allows_invalid else arguments_of(row.action, row.payload)
    row.operation = operation_of(row.action)
    row.arguments = {} if arguments is None else arguments
    row.raw_version = VERSION if arguments is None else ""


def _seal(batch: Any) -> None:
    """Batches kept a new password in the clear."""
    payload = batch.payload
    if batch.action != "ChangeConfiguration" or not is_secret(payload.get("key")):
        return
    if isinstance(payload.get("value"), str) and payload["value"] != MASK:
        batch.sealed = seal(payload["value"])
        batch.payload = {**payload, "value": MASK}
        if batch.arguments:
            batch.arguments = {**batch.arguments, "value": MASK}


def unsay(apps: Any, schema_editor: Any) -> None:
    """Nothing is lost: rows still hold their frames."""
    apps.get_model("stations", "Station").objects.exclude(assumed_version="").update(assume_ocpp16=True)


class Migration(migrations.Migration):
    dependencies = [("stations", "0004_command_operations")]

    operations = [migrations.RunPython(say, unsay)]
