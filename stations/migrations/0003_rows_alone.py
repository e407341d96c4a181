from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("stations", "0002_commands")]

    operations = [
        migrations.RemoveIndex(model_name="station", name="stations_station_last_seen"),
        migrations.RunSQL(
            "ALTER TABLE stations_station SET (fillfactor = 70)", "ALTER TABLE stations_station RESET (fillfactor)"
        ),
    ]
