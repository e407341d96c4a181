from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("stations", "0006_assumed_version")]

    operations = [
        AddIndexConcurrently(
            model_name="command",
            index=models.Index(
                condition=models.Q(("follow_up", "waiting")),
                fields=["station", "operation"],
                name="stations_command_awaited",
            ),
        ),
        RemoveIndexConcurrently(model_name="command", name="stations_command_following"),
    ]
