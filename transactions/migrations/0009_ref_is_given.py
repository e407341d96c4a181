from django.contrib.postgres.operations import AddConstraintNotValid, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    # Rows are read for the check after the table's lock is released.
    atomic = False
    dependencies = [("transactions", "0008_kind_of_token_and_plug")]

    operations = [
        AddConstraintNotValid(
            model_name="transaction",
            constraint=models.CheckConstraint(
                condition=models.Q(("ref", ""), _negated=True), name="transactions_ref_is_given"
            ),
        ),
        ValidateConstraint(model_name="transaction", name="transactions_ref_is_given"),
    ]
