"""A station's page: its panels in the order in which they are shown.

Each name is registered by the app that owns the data, in <app>/admin/station_panels.py.
"""

from evcharging.back_office.panels import PanelLayout

STATION_PAGE = PanelLayout(
    wide=["overview", "connectors", "charging_now", "energy"],
    narrow=[
        "latest_statuses",
        "commands",
        "reservations",
        "charging_profiles",
        "local_list",
        "boots",
        "refused_connections",
        "notices",
        "deviations",
        "configuration",
        "orphans",
    ],
)
