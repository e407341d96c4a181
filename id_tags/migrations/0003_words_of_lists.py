from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("id_tags", "0002_local_lists"),
    ]

    operations = [
        migrations.AlterField(
            model_name="locallist",
            name="entries",
            field=models.JSONField(default=dict, help_text="Folded tag → [tag, what the station was told]."),
        ),
        migrations.AlterField(
            model_name="locallist",
            name="reported_version",
            field=models.IntegerField(help_text="As the station says; -1: not supported.", null=True),
        ),
        migrations.AlterField(
            model_name="locallistupdate",
            name="remaining",
            field=models.JSONField(default=list, help_text="Arguments of the operations still to be sent, in order."),
        ),
        migrations.AlterField(
            model_name="locallistupdate",
            name="wanted",
            field=models.JSONField(
                help_text="Folded tag → [tag, what the station is told]: the whole list as it shall be."
            ),
        ),
    ]
