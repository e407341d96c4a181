"""What a station's configuration was when it was last read."""

from django.db import models
from django.db.models.functions import Lower

from stations.models.station import Station


class ConfigurationKey(models.Model):
    """One configuration key of a station (OCPP 1.6 §9) as it last reported it."""

    station = models.ForeignKey(Station, models.CASCADE, related_name="configuration")
    key = models.CharField(max_length=255)
    value = models.TextField(null=True, blank=True)  # noqa: DJ001 - a key without a value is not an empty one
    readonly = models.BooleanField(null=True)
    is_unknown = models.BooleanField(default=False, help_text="The station said that it does not know the key.")
    read_at = models.DateTimeField()
    pending_value = models.TextField(  # noqa: DJ001
        null=True, blank=True, help_text="Accepted with RebootRequired: takes effect when the station restarts."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint("station", Lower("key"), name="stations_configurationkey_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.station_id} {self.key}"
