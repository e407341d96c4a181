"""A tag's page: its panels in the order in which they are shown, registered in <app>/admin/tag_panels.py."""

from evcharging.back_office.panels import PanelLayout

TAG_PAGE = PanelLayout(wide=["transactions"])
