"""Meter samples: series, their values (a hypertable), and roll-ups of these."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import MD5
from timescale.db.models.fields import TimescaleDateTimeField

from stations.models import Station
from transactions.models import Transaction


class Series(models.Model):
    """One thing that a station measures, in the station's own words; kept as long as its samples."""

    id = models.AutoField(primary_key=True)
    station = models.ForeignKey(Station, models.PROTECT, related_name="series")
    connector_id = models.IntegerField(help_text="As reported; 0 is the main meter.")
    measurand = models.CharField(max_length=100)
    phase = models.CharField(max_length=20, blank=True)
    location = models.CharField(max_length=20, blank=True)
    context = models.CharField(max_length=40, blank=True)
    format = models.CharField(max_length=20, blank=True)
    unit = models.CharField(
        max_length=40, blank=True, help_text="The station's unit; values are kept in canonical ones."
    )

    class Meta:
        verbose_name_plural = "series"
        constraints = [
            models.UniqueConstraint(
                fields=["station", "connector_id", "measurand", "phase", "location", "context", "format", "unit"],
                name="meter_series_unique",
            )
        ]

    def __str__(self) -> str:
        words = [self.measurand, self.phase, self.location, self.context]
        return f"{self.station_id}/{self.connector_id} " + " ".join(word for word in words if word)


class MeterValue(models.Model):
    """One sample: what a station measured at one instant; kept until its retention ends.

    There are billions of rows: the words are in the series, eight-byte columns come first (alignment), and there are
    no more than eight columns (a ninth would cost eight bytes of null bitmap a row). `id` is unique by its sequence
    but carries no index: look samples up by series and time. The identity of a sample is (series, effective_at, value,
    transaction_ref), with the raw text where there is no value.
    """

    id = models.BigAutoField(primary_key=True)
    effective_at = TimescaleDateTimeField(interval="1 day")
    value = models.FloatField(null=True, help_text="In the canonical unit; null where the text is no number.")
    reported_at = models.DateTimeField(null=True, help_text="Only where it differs from the effective time.")
    series = models.ForeignKey(Series, models.PROTECT, db_constraint=False, db_index=False, related_name="values")
    transaction = models.ForeignKey(
        Transaction, models.PROTECT, null=True, db_constraint=False, db_index=False, related_name="meter_values"
    )
    transaction_ref = models.TextField("reported transaction id", default="", blank=True)
    raw = models.TextField(default="", blank=True, help_text="As reported, where the value does not reproduce it.")

    class Meta:
        db_table = "meter_values"
        constraints = [
            models.UniqueConstraint(
                fields=["series", "effective_at", "value", "transaction_ref"], name="meter_values_sample_unique"
            ),
            models.UniqueConstraint(
                "series", "effective_at", MD5("raw"), "transaction_ref",
                condition=models.Q(value=None), name="meter_values_raw_sample_unique",
            ),
        ]  # fmt: skip
        indexes = [BrinIndex(fields=["effective_at"], name="meter_values_by_time", pages_per_range=32)]

    def __str__(self) -> str:
        return f"{self.series_id} {self.effective_at:%Y-%m-%d %H:%M:%S} {self.raw or self.value}"


class Rollup(models.Model):
    """Sum, extremes, first and last of the samples of one series in one bucket; a sample without a number is left out.

    Rows are written by meter.rollups.roll_up alone. Where TimescaleDB keeps continuous aggregates (meter.storage),
    these tables stay empty. First and last are by effective time, of several samples at one instant by value.
    """

    pk = models.CompositePrimaryKey("series_id", "bucket")
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    total = models.FloatField(help_text="Sum of the values.")
    lowest = models.FloatField()
    highest = models.FloatField()
    first_value = models.FloatField()
    last_value = models.FloatField()
    series = models.ForeignKey(Series, models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    samples = models.IntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        series_id, bucket = self.pk
        return f"{series_id} {bucket:%Y-%m-%d %H:%M}"


class QuarterRollup(Rollup):
    """A quarter of an hour of one series (a hypertable); kept until its retention ends."""

    bucket = TimescaleDateTimeField(interval="30 days", help_text="Begin of the quarter of an hour.")

    class Meta:
        db_table = "meter_rollup_15m"
        indexes = [BrinIndex(fields=["bucket"], name="meter_rollup_15m_by_time", pages_per_range=32)]


class DayRollup(Rollup):
    """A day (UTC) of one series; kept until its retention ends."""

    bucket = models.DateTimeField(help_text="Begin of the day.")

    class Meta:
        db_table = "meter_rollup_day"


class LateMark(models.Model):
    """A quarter of an hour of one series that got samples late; deleted when its roll-ups are made again."""

    pk = models.CompositePrimaryKey("series_id", "bucket")
    bucket = models.DateTimeField()
    series = models.ForeignKey(Series, models.PROTECT, db_constraint=False, db_index=False, related_name="+")

    class Meta:
        db_table = "meter_rollup_late"

    def __str__(self) -> str:
        return f"{self.series_id} {self.bucket:%Y-%m-%d %H:%M}"


class RollupProgress(models.Model):
    """The one row that says up to when samples are rolled up, and from when they are kept."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    quarters_until = models.DateTimeField(null=True)
    days_until = models.DateTimeField(null=True)
    samples_from = models.DateTimeField(null=True, help_text="Older samples are gone.")
    quarters_from = models.DateTimeField(null=True, help_text="Older roll-ups of 15 minutes are gone; begin of a day.")

    class Meta:
        db_table = "meter_rollup_progress"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="meter_rollup_progress_is_one")]

    def __str__(self) -> str:
        return f"rolled up until {self.quarters_until}"
