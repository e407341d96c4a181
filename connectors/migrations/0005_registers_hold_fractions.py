from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0004_no_evse_id")]

    operations = [
        # Backwards, fractions of a Wh are rounded.
        migrations.AlterField(
            model_name="connector",
            name="last_meter_stop_wh",
            field=models.DecimalField(
                decimal_places=3,
                editable=False,
                help_text="Register at the end of the latest transaction, to spot gaps.",
                max_digits=24,
                null=True,
            ),
        ),
    ]
