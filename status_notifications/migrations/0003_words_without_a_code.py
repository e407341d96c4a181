from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("status_notifications", "0002_no_unused_indexes")]

    operations = [
        # The default stays in the database: a hypertable with compressed chunks takes a column only so.
        migrations.AddField(
            model_name="statusnotification",
            name="other_status",
            field=models.TextField(
                blank=True,
                db_default="",
                default="",
                help_text="The station's own word where the status has no code.",
            ),
        ),
    ]
