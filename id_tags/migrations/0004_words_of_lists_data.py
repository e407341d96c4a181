from typing import Any

from django.db import migrations

from stations.migrations._operations_of_ocpp16 import TAG_STATUS, arguments_of, renamed

TO_OCPP16 = {"status": "status", "expiryDate": "expires_at", "parentIdTag": "group_id_tag"}


def say(apps: Any, schema_editor: Any) -> None:
    """Word what stations were told of tags, and what is on its way to them, as the domain does."""
    LocalList, Update = apps.get_model("id_tags", "LocalList"), apps.get_model("id_tags", "LocalListUpdate")
    for row in LocalList.objects.iterator(chunk_size=200):
        row.entries = _entries(row.entries, TAG_STATUS)
        row.save(update_fields=["entries"])
    for row in Update.objects.iterator(chunk_size=200):
        row.wanted = _entries(row.wanted, TAG_STATUS)
        row.remaining = [arguments_of("SendLocalList", payload) for payload in row.remaining]
        row.save(update_fields=["wanted", "remaining"])


def unsay(apps: Any, schema_editor: Any) -> None:
    LocalList, Update = apps.get_model("id_tags", "LocalList"), apps.get_model("id_tags", "LocalListUpdate")
    for row in LocalList.objects.iterator(chunk_size=200):
        row.entries = _entries(row.entries, TO_OCPP16)
        row.save(update_fields=["entries"])
    for row in Update.objects.iterator(chunk_size=200):
        row.wanted = _entries(row.wanted, TO_OCPP16)
        row.remaining = [_payload(arguments) for arguments in row.remaining]
        row.save(update_fields=["wanted", "remaining"])


def _entries(entries: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {key: [tag, renamed(told, names)] for key, (tag, told) in entries.items()}


def _payload(arguments: dict[str, Any]) -> dict[str, Any]:
    tags = [
        {"idTag": tag["id_tag"]}
        | ({"idTagInfo": renamed(tag["authorization"], TO_OCPP16)} if "authorization" in tag else {})
        for tag in arguments.get("tags", [])
    ]
    return {"listVersion": arguments["version"], "updateType": arguments["update"], "localAuthorizationList": tags}


class Migration(migrations.Migration):
    dependencies = [("id_tags", "0003_words_of_lists"), ("stations", "0004_command_operations")]

    operations = [migrations.RunPython(say, unsay)]
