from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("transactions", "0007_stop_reason_is_an_open_word")]

    operations = [
        migrations.AddField(
            model_name="transaction",
            name="id_tag_kind",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="The kind of token, in the station's word; blank in OCPP 1.6.",
                max_length=20,
            ),
        ),
        migrations.AddField(
            model_name="transaction",
            name="plug",
            field=models.SmallIntegerField(
                editable=False,
                help_text="Which plug of the EVSE; null in OCPP 1.6, where a connector has one.",
                null=True,
            ),
        ),
    ]
