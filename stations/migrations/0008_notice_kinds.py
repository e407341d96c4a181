from django.db import migrations

KINDS = {
    "DiagnosticsStatusNotification": "diagnostics",
    "FirmwareStatusNotification": "firmware",
    "SignedFirmwareStatusNotification": "signed_firmware",
    "LogStatusNotification": "log",
    "SecurityEventNotification": "security_event",
    "DataTransfer": "data_transfer",
}


def _renaming(words: dict[str, str]) -> str:
    cases = " ".join(f"WHEN '{old}' THEN '{new}'" for old, new in words.items())
    return f"UPDATE stations_notice SET kind = CASE kind {cases} ELSE kind END"


class Migration(migrations.Migration):
    dependencies = [("stations", "0007_awaited_operations")]

    operations = [migrations.RunSQL(_renaming(KINDS), _renaming({new: old for old, new in KINDS.items()}))]
