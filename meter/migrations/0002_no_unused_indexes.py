"""Drop the indexes that nothing uses: the primary key's, and the time index that TimescaleDB makes by default.

Rows are found by their unique identity index; `id` stays unique by its sequence. On a hypertable the backend has
dropped the primary key already, for it does not contain the time.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("meter", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE meter_values DROP CONSTRAINT IF EXISTS meter_values_pkey",
            # A hypertable never had it back, so undoing this changes nothing that matters.
            migrations.RunSQL.noop,
        ),
        migrations.RunSQL("DROP INDEX IF EXISTS meter_values_effective_at_idx", migrations.RunSQL.noop),
    ]
