from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("transactions", "0004_indexes_of_what_was_open")]

    operations = [
        migrations.RemoveIndex(model_name="transaction", name="transactions_open_silent"),
        migrations.RunSQL(
            "ALTER TABLE transactions_transaction SET (fillfactor = 85)",
            "ALTER TABLE transactions_transaction RESET (fillfactor)",
        ),
    ]
