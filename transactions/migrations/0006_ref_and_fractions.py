"""Registers and energies become numeric(24, 3), and each transaction gets its station's word for it.

In one file, since either rewrites the table: so it is rewritten once, under a lock that lets nobody read it meanwhile
(docs/adr/0018-domain-for-versions.md has how long that takes). PostgreSQL fills the new column by an expression, which
it then forgets.

The text of a float is the shortest decimal that stands for it; a cast would keep 15 digits. Where an energy is the
difference of registers, it is so again to the digit, which a float could not be above 2^53 and not with fractions.
"""

from django.db import migrations, models

_FORWARDS = """
    ALTER TABLE transactions_transaction
        DROP CONSTRAINT transactions_energy_positive,
        ALTER COLUMN meter_start TYPE numeric(24, 3),
        ALTER COLUMN meter_stop TYPE numeric(24, 3),
        ALTER COLUMN last_register_wh TYPE numeric(24, 3) USING round(last_register_wh::text::numeric, 3),
        ALTER COLUMN estimated_energy_wh TYPE numeric(24, 3) USING round(estimated_energy_wh::text::numeric, 3),
        ALTER COLUMN energy_wh TYPE numeric(24, 3) USING CASE
            WHEN closing = 'reported' AND energy_wh = greatest(meter_stop::numeric - meter_start, 0)::float8
                AND meter_stop IS NOT NULL AND meter_start IS NOT NULL
                THEN greatest(meter_stop::numeric - meter_start, 0)
            WHEN closing <> 'reported' AND energy_wh = greatest(last_register_wh - meter_start, 0)
                AND last_register_wh IS NOT NULL AND meter_start IS NOT NULL
                THEN greatest(round(last_register_wh::text::numeric, 3) - meter_start, 0)
            ELSE round(energy_wh::text::numeric, 3)
        END,
        ADD COLUMN ref varchar(255) GENERATED ALWAYS AS (transaction_id::text) STORED NOT NULL,
        ADD CONSTRAINT transactions_energy_positive CHECK (energy_wh IS NULL OR energy_wh >= 0)
"""
# Fractions of a Wh in registers are rounded.
_BACKWARDS = """
    ALTER TABLE transactions_transaction
        DROP CONSTRAINT transactions_energy_positive,
        ALTER COLUMN meter_start TYPE bigint,
        ALTER COLUMN meter_stop TYPE bigint,
        ALTER COLUMN last_register_wh TYPE double precision,
        ALTER COLUMN estimated_energy_wh TYPE double precision,
        ALTER COLUMN energy_wh TYPE double precision,
        DROP COLUMN ref,
        ADD CONSTRAINT transactions_energy_positive CHECK (energy_wh IS NULL OR energy_wh >= 0)
"""


def _numeric(*args, **kwargs):
    return models.DecimalField(*args, decimal_places=3, max_digits=24, null=True, **kwargs)


class Migration(migrations.Migration):
    dependencies = [("transactions", "0005_rows_alone")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunSQL(_FORWARDS, _BACKWARDS),
                migrations.RunSQL(
                    "ALTER TABLE transactions_transaction ALTER COLUMN ref DROP EXPRESSION", migrations.RunSQL.noop
                ),
            ],
            state_operations=[
                migrations.AlterField("transaction", "meter_start", _numeric("meter start (Wh)")),
                migrations.AlterField(
                    "transaction",
                    "meter_stop",
                    _numeric("meter stop (Wh)", help_text="Null while the end is estimated."),
                ),
                migrations.AlterField("transaction", "last_register_wh", _numeric()),
                migrations.AlterField("transaction", "estimated_energy_wh", _numeric()),
                migrations.AlterField(
                    "transaction",
                    "energy_wh",
                    _numeric("energy (Wh)", help_text="So far while open. Unknown while meter start is."),
                ),
                migrations.AddField(
                    "transaction",
                    "ref",
                    models.CharField(
                        editable=False,
                        help_text="The station's own word for it; in OCPP 1.6 the transaction id as text.",
                        max_length=255,
                    ),
                ),
            ],
        ),
        migrations.AlterField("orphanmessage", "meter_stop", _numeric("meter stop (Wh)")),
    ]
