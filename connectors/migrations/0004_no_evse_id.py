"""Drop the number of the EVSE, which nothing ever wrote: of OCPP 2.x, the EVSE itself is the connector."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("connectors", "0003_rows_alone")]

    operations = [migrations.RemoveField(model_name="connector", name="evse_id")]
