from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db import migrations

from stations.migrations._operations_of_ocpp16 import SCHEDULE, renamed

SCHEDULE_OF_OCPP16 = {
    "chargingRateUnit": "unit",
    "chargingSchedulePeriod": ("periods", {"startPeriod": "starts_s", "limit": "limit", "numberPhases": "phases"}),
    "duration": "duration_s",
    "startSchedule": "starts_at",
    "minChargingRate": "min_rate",
}
# Most rows have a status alone, and are not written.
_RENAME = """
    UPDATE transactions_transaction SET told_authorization = (
        SELECT jsonb_object_agg(CASE key {cases} ELSE key END, value) FROM jsonb_each(told_authorization))
    WHERE told_authorization ?| ARRAY[{names}]
"""


def _renaming(words: dict[str, str]) -> str:
    cases = " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in words.items())
    return _RENAME.format(cases=cases, names=", ".join(f"'{old}'" for old in words))


AUTHORIZATION = {"expiryDate": "expires_at", "parentIdTag": "group_id_tag"}
KINDS = "UPDATE transactions_orphanmessage SET kind = CASE kind WHEN '{}' THEN '{}' WHEN '{}' THEN '{}' ELSE kind END"
FORWARDS = KINDS.format("StopTransaction", "stop", "MeterValues", "meter_values")
BACKWARDS = KINDS.format("stop", "StopTransaction", "meter_values", "MeterValues")


def say(apps: Any, schema_editor: Any) -> None:
    """Word schedules as the domain does, and read what stop conflicts said."""
    _reword(apps, lambda schedule: renamed(schedule, SCHEDULE))
    StopConflict = apps.get_model("transactions", "StopConflict")
    for row in StopConflict.objects.iterator(chunk_size=500):
        payload = row.payload if isinstance(row.payload, dict) else {}
        row.meter_stop, row.reported_at = _register(payload.get("meterStop")), _instant(payload.get("timestamp"))
        row.stop_reason = str(payload.get("reason") or "Local")[:50]
        row.save(update_fields=["meter_stop", "reported_at", "stop_reason"])


def unsay(apps: Any, schema_editor: Any) -> None:
    _reword(apps, lambda schedule: renamed(schedule, SCHEDULE_OF_OCPP16))


def _reword(apps: Any, reword: Callable[[Any], Any]) -> None:
    for name in ("ChargingProfile", "CompositeSchedule"):
        for row in apps.get_model("transactions", name).objects.iterator(chunk_size=500):
            row.schedule = reword(row.schedule)
            row.save(update_fields=["schedule"])


def _register(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value)) if isinstance(value, int | float | str) and value is not True else None
    except InvalidOperation:
        return None
    is_kept = number is not None and number.is_finite() and abs(number) < 2**63
    return number.quantize(Decimal("0.001")) if number is not None and is_kept else None


def _instant(value: Any) -> datetime | None:
    try:
        instant = datetime.fromisoformat(value.strip().upper())
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (AttributeError, ValueError, OverflowError):
        return None


class Migration(migrations.Migration):
    dependencies = [("transactions", "0011_words_of_the_domain"), ("stations", "0004_command_operations")]

    operations = [
        migrations.RunSQL(_renaming(AUTHORIZATION), _renaming({new: old for old, new in AUTHORIZATION.items()})),
        migrations.RunSQL(FORWARDS, BACKWARDS),
        migrations.RunPython(say, unsay),
    ]
