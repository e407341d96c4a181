from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transactions", "0006_ref_and_fractions")]

    operations = [
        # Backwards, a longer word than 20 characters is an error: what a station said is not cut.
        migrations.AlterField(
            model_name="transaction",
            name="stop_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("DeAuthorized", "De Authorized"),
                    ("EmergencyStop", "Emergency Stop"),
                    ("EVDisconnected", "Ev Disconnected"),
                    ("HardReset", "Hard Reset"),
                    ("Local", "Local"),
                    ("Other", "Other"),
                    ("PowerLoss", "Power Loss"),
                    ("Reboot", "Reboot"),
                    ("Remote", "Remote"),
                    ("SoftReset", "Soft Reset"),
                    ("UnlockCommand", "Unlock Command"),
                ],
                max_length=50,
            ),
        ),
        migrations.AlterField(
            model_name="orphanmessage", name="stop_reason", field=models.CharField(blank=True, max_length=50)
        ),
    ]
