from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("stations", "0003_rows_alone"),
    ]

    operations = [
        migrations.AddField(
            model_name="command",
            name="arguments",
            field=models.JSONField(
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text="Of the operation, in words of the domain, but for secrets.",
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="operation",
            field=models.CharField(
                blank=True, db_default="", help_text="Blank: an Action that no operation says.", max_length=40
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="raw_version",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="The frame is sent as it is written, for this protocol version.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="result",
            field=models.JSONField(help_text="What the answer tells, in words of the domain.", null=True),
        ),
        migrations.AddField(
            model_name="command",
            name="verdict",
            field=models.CharField(
                blank=True, db_default="", help_text="What that means, whatever the version.", max_length=20
            ),
        ),
        migrations.AddField(
            model_name="command",
            name="version",
            field=models.CharField(
                blank=True, db_default="", help_text="The protocol version of the frame.", max_length=20
            ),
        ),
        migrations.AddField(
            model_name="commandbatch",
            name="arguments",
            field=models.JSONField(
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text="Of the operation, in words of the domain, but for secrets.",
            ),
        ),
        migrations.AddField(
            model_name="commandbatch",
            name="operation",
            field=models.CharField(
                blank=True, db_default="", help_text="Blank: an Action that no operation says.", max_length=40
            ),
        ),
        migrations.AddField(
            model_name="commandbatch",
            name="raw_version",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="The frame is sent as it is written, for this protocol version.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="commandbatch",
            name="sealed",
            field=models.BinaryField(help_text="A secret of the payload, encrypted.", null=True),
        ),
        migrations.AddField(
            model_name="station",
            name="assumed_version",
            field=models.CharField(
                blank=True,
                db_default="",
                help_text="The protocol version of a connection without a valid Sec-WebSocket-Protocol. Blank: refused.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="station",
            name="version",
            field=models.CharField(
                blank=True,
                db_default="",
                editable=False,
                help_text="The protocol version of its latest connection.",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="commandbatch",
            name="action",
            field=models.CharField(
                help_text="As the first protocol version says it, or as it is written.", max_length=60
            ),
        ),
        migrations.AlterField(
            model_name="commandbatch",
            name="payload",
            field=models.JSONField(default=dict, help_text="But for secrets."),
        ),
    ]
