from django.db import migrations, models

COLUMNS = {
    "follow_up": "expected_effect",
    "follow_up_due_at": "effect_due_at",
    "follow_up_at": "effect_at",
    "follow_up_note": "effect_note",
}
# The conditions of partial indexes follow the column by themselves; the models' do not.
INDEXES = {"stations_command_awaited": ["station", "operation"], "stations_command_follow_due": ["effect_due_at"]}


def _renaming(columns: dict[str, str]) -> list[str]:
    return [f"ALTER TABLE stations_command RENAME COLUMN {old} TO {new}" for old, new in columns.items()]


class Migration(migrations.Migration):
    dependencies = [("stations", "0009_notice_kind_choices")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(_renaming(COLUMNS), _renaming({new: old for old, new in COLUMNS.items()}))
            ],
            state_operations=[
                *(migrations.RemoveIndex("command", name) for name in INDEXES),
                *(migrations.RenameField("command", old, new) for old, new in COLUMNS.items()),
                *(
                    migrations.AddIndex(
                        "command",
                        models.Index(fields=fields, condition=models.Q(("expected_effect", "waiting")), name=name),
                    )
                    for name, fields in INDEXES.items()
                ),
            ],
        )
    ]
