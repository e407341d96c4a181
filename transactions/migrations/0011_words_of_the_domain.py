from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transactions", "0010_index_of_refs")]

    operations = [
        migrations.RenameField("transaction", "id_tag_info", "told_authorization"),
        migrations.AlterField(
            "transaction",
            "told_authorization",
            models.JSONField(
                "authorization", help_text="What the station was told of the tag: status, expires_at, group_id_tag."
            ),
        ),
        migrations.AddField(
            "stopconflict",
            "meter_stop",
            models.DecimalField("meter stop (Wh)", null=True, max_digits=24, decimal_places=3),
        ),
        migrations.AddField("stopconflict", "stop_reason", models.CharField(max_length=50, blank=True, db_default="")),
        migrations.AddField("stopconflict", "reported_at", models.DateTimeField(null=True)),
        migrations.AlterField("stopconflict", "payload", models.JSONField(help_text="As received.")),
        migrations.AlterField(
            "orphanmessage",
            "kind",
            models.CharField(choices=[("stop", "Stop"), ("meter_values", "Meter values")], max_length=16),
        ),
    ]
