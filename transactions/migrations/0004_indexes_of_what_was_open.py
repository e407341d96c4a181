import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("connectors", "0002_availability"),
        ("id_tags", "0002_local_lists"),
        ("stations", "0002_commands"),
        ("transactions", "0003_reservations_are_replaced"),
    ]

    operations = [
        # AlterField drops every index of its one column, the partial unique one too.
        migrations.RemoveConstraint(model_name="transaction", name="transactions_one_open_per_connector"),
        migrations.AlterField(
            model_name="transaction",
            name="connector",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transactions",
                to="connectors.connector",
            ),
        ),
        migrations.AddConstraint(
            model_name="transaction",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closing", "open")),
                fields=("connector",),
                name="transactions_one_open_per_connector",
            ),
        ),
        migrations.AlterField(
            model_name="transaction",
            name="station",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transactions",
                to="stations.station",
            ),
        ),
        migrations.AlterField(
            model_name="transaction",
            name="tag",
            field=models.ForeignKey(
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="transactions",
                to="id_tags.idtag",
            ),
        ),
        migrations.AddIndex(
            model_name="reservation",
            index=models.Index(
                condition=models.Q(("status__in", ["requested", "active"])),
                fields=["station"],
                name="transactions_reservation_here",
            ),
        ),
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(fields=["connector", "stopped_at"], name="transactions_by_connector_end"),
        ),
        migrations.AddIndex(
            model_name="transaction",
            index=models.Index(fields=["tag", "stopped_at"], name="transactions_by_tag_end"),
        ),
    ]
