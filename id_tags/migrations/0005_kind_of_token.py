from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("id_tags", "0004_words_of_lists_data")]

    operations = [
        migrations.AddField(
            model_name="idtag",
            name="kind",
            field=models.CharField(
                blank=True,
                db_default="",
                default="",
                editable=False,
                help_text="The kind of token, in OCPP 2.x's word; blank where none was said.",
                max_length=20,
            ),
        ),
    ]
