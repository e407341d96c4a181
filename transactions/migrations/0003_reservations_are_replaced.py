from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("stations", "0002_commands"),
        ("transactions", "0002_reservations_and_charging_profiles"),
    ]

    operations = [
        migrations.RemoveConstraint(
            model_name="reservation",
            name="transactions_reservation_id_unique",
        ),
        migrations.AlterField(
            model_name="reservation",
            name="status",
            field=models.CharField(
                choices=[
                    ("requested", "Requested"),
                    ("active", "Active"),
                    ("refused", "Refused"),
                    ("replaced", "Replaced"),
                    ("cancelled", "Cancelled"),
                    ("used", "Used"),
                    ("expired", "Expired"),
                ],
                default="requested",
                max_length=9,
            ),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(fields=["station", "reservation_id"], name="transactions_reservation_ids"),
        ),
        migrations.AddConstraint(
            model_name="reservation",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "active")),
                fields=("station", "reservation_id"),
                name="transactions_reservation_active",
            ),
        ),
    ]
