"""What meter values add to a transaction's page."""

from datetime import timedelta

from django.http import HttpRequest
from django.utils import timezone

from evcharging.back_office.display import list_url
from evcharging.back_office.panels import PanelContent
from meter.admin.units import symbol
from meter.charts import Chart, chart
from meter.selectors import Column, curves, sample_table
from transactions.admin.transaction_page import TRANSACTION_PAGE
from transactions.models import Transaction

INSTANTS_PER_PAGE = 25


@TRANSACTION_PAGE.panel("charts", template="admin/meter/charts.html", model="meter.metervalue")
def charts(request: HttpRequest, row: Transaction) -> PanelContent:
    """Draw energy, power and state of charge over time."""
    found = curves(row)
    register = [(at, value) for at, value in found.register]
    if row.meter_start is not None:
        register = [(row.started_at, float(row.meter_start)), *register]
    if row.meter_stop is not None and row.stopped_at is not None:
        register.append((row.stopped_at, float(row.meter_stop)))
    register.sort()
    base = float(row.meter_start) if row.meter_start is not None else (register[0][1] if register else 0.0)
    energy = [(at, (value - base) / 1000) for at, value in register]
    power = [(at, value / 1000) for at, value in found.power]
    instants = [row.started_at, row.stopped_at or row.last_message_at]
    instants += [at for curve in (energy, power, found.soc) for at, _ in curve]
    since, until = min(instants), max(instants)
    if until - since < timedelta(minutes=1):
        until = since + timedelta(minutes=1)
    drawn: list[Chart] = []
    if len(energy) > 1:
        drawn.append(chart(energy, title="Energy", unit="kWh", since=since, until=until, digits=3))
    if power:
        drawn.append(chart(power, title="Power", unit="kW", since=since, until=until, digits=2, is_stepped=True))
    if found.soc:
        drawn.append(chart(found.soc, title="State of charge", unit="%", since=since, until=until, digits=0))
    return PanelContent({"charts": drawn})


@TRANSACTION_PAGE.panel("samples", title="Samples", template="admin/meter/samples.html", model="meter.metervalue")
def samples(request: HttpRequest, row: Transaction) -> PanelContent:
    """Show a page of the samples, one line per instant."""
    asked = request.GET.get("samples", "1")
    page = min(max(int(asked), 1), 10_000) if asked.isascii() and asked.isdecimal() else 1
    table = sample_table(row, page=page, size=INSTANTS_PER_PAGE)
    since = row.started_at - timedelta(days=1)
    until = (row.stopped_at or timezone.now()) + timedelta(days=1)
    return PanelContent(
        {
            "columns": [(column.measurand, _detail(column), symbol(column.unit)) for column in table.columns],
            "lines": [
                (
                    line.at,
                    "" if line.context == "Sample.Periodic" else line.context,
                    [line.values.get(column, "") for column in table.columns],
                )
                for line in table.lines
            ],
            "anchor": "samples",
            "page": page,
            "has_next": table.has_next,
            "more": "As a list",
            "more_url": list_url(
                "meter.metervalue",
                series__station__id__exact=row.station_id,
                transaction__id__exact=row.pk,
                effective_at_from_0=f"{since:%Y-%m-%d}",
                effective_at_to_0=f"{until:%Y-%m-%d}",
            ),
        }
    )


def _detail(column: Column) -> str:
    parts = [column.phase, "" if column.location == "Outlet" else column.location]
    return " ".join(part for part in parts if part)
