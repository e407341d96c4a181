from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("connectors", "0002_availability")]

    operations = [
        migrations.RemoveIndex(model_name="connector", name="connectors_connector_status"),
        migrations.RunSQL(
            "ALTER TABLE connectors_connector SET (fillfactor = 70)",
            "ALTER TABLE connectors_connector RESET (fillfactor)",
        ),
    ]
