from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("connectors", "0005_registers_hold_fractions")]

    operations = [
        # Backwards, a longer word than 20 characters is an error: what a station said is not cut.
        migrations.AlterField(
            model_name="connector",
            name="status",
            field=models.CharField(
                blank=True,
                choices=[
                    ("Available", "Available"),
                    ("Preparing", "Preparing"),
                    ("Charging", "Charging"),
                    ("SuspendedEVSE", "Suspended Evse"),
                    ("SuspendedEV", "Suspended Ev"),
                    ("Finishing", "Finishing"),
                    ("Reserved", "Reserved"),
                    ("Unavailable", "Unavailable"),
                    ("Faulted", "Faulted"),
                ],
                editable=False,
                max_length=50,
            ),
        ),
    ]
