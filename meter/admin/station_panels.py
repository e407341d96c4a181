"""What meter values add to a station's page."""

from datetime import timedelta

from django.http import HttpRequest
from django.utils import timezone

from evcharging.back_office.panels import PanelContent
from meter.charts import bar_chart
from meter.rollups.aggregates import station_days_energy
from stations.admin.station_page import STATION_PAGE
from stations.models import Station

CHARTED_DAYS = 30


@STATION_PAGE.panel(
    "energy",
    title=f"Energy of the last {CHARTED_DAYS} days",
    template="admin/meter/energy.html",
    model="meter.metervalue",
)
def energy(request: HttpRequest, station: Station) -> PanelContent:
    """Draw the energy by day, in the station's time zone."""
    today = timezone.now().astimezone(station.zone).date()
    days = station_days_energy(station, today - timedelta(days=CHARTED_DAYS - 1), today)
    if not any(day.energy_wh or day.register_reset for day in days):
        return PanelContent({"chart": None})
    total = sum(day.energy_wh for day in days) / 1000
    drawn = bar_chart(
        [(f"{day.day:%b %d}", day.energy_wh / 1000, day.register_reset) for day in days],
        title=f"Energy of the last {CHARTED_DAYS} days",
        summary=f"{total:,.1f} kWh",
        unit="kWh",
        digits=1,
    )
    return PanelContent(
        {"chart": drawn, "zone": station.time_zone, "has_register_reset": any(day.register_reset for day in days)}
    )
