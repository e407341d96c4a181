from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("stations", "0005_operations_of_commands")]

    operations = [migrations.RemoveField(model_name="station", name="assume_ocpp16")]
