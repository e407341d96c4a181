"""A transaction's page: its panels in the order in which they are shown.

Each name is registered by the app that owns the data, in <app>/admin/transaction_panels.py.
"""

from evcharging.back_office.panels import PanelLayout

TRANSACTION_PAGE = PanelLayout(
    wide=["overview", "charts", "samples"],
    narrow=["stop_conflicts", "orphans"],
)
