"""Give the hypertable of roll-ups its primary key back, and drop the time index that TimescaleDB makes by default.

The backend drops every hypertable's primary key, for it seldom contains the time; this one does, and roll-ups are
written by it. On a plain table both statements find nothing to do.
"""

from django.db import migrations

ADD_KEY = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'meter_rollup_15m'::regclass AND contype = 'p') THEN
        ALTER TABLE meter_rollup_15m ADD CONSTRAINT meter_rollup_15m_pkey PRIMARY KEY (series_id, bucket);
    END IF;
END $$
"""


class Migration(migrations.Migration):
    dependencies = [("meter", "0003_rollups")]

    operations = [
        migrations.RunSQL(ADD_KEY, migrations.RunSQL.noop),
        migrations.RunSQL("DROP INDEX IF EXISTS meter_rollup_15m_bucket_idx", migrations.RunSQL.noop),
    ]
