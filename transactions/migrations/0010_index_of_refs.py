from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("transactions", "0009_ref_is_given")]

    operations = [
        AddIndexConcurrently(
            model_name="transaction",
            index=models.Index(fields=["station", "ref"], name="transactions_by_ref"),
        ),
    ]
