"""What transactions add to a tag's page and to the list of tags."""

from datetime import datetime

from django.http import HttpRequest

from evcharging.back_office.display import kwh, link, list_url, when
from evcharging.back_office.panels import PanelContent
from id_tags.admin.tag_list import TAG_FACTS
from id_tags.admin.tag_page import TAG_PAGE
from id_tags.models import IdTag
from transactions import selectors
from transactions.admin.badges import closing_badge, mark_badges
from transactions.models import Transaction

LATEST = 10


@TAG_PAGE.panel("transactions", title="Latest transactions", model="transactions.transaction")
def latest_transactions(request: HttpRequest, tag: IdTag) -> PanelContent:
    """Show the latest transactions that were started with the tag, refused ones too."""
    rows = (
        Transaction.objects.filter(id_tag_folded=tag.id_tag_folded)
        .select_related("station", "connector")
        .order_by("-started_at")[:LATEST]
    )
    return PanelContent(
        {
            "headers": ["Id", "Station", "Connector", "Started", "Stopped", "Energy", "State", "Marks"],
            "rows": [
                [
                    link(row),
                    link(row.station),
                    row.connector.connector_id,
                    when(row.started_at),
                    when(row.stopped_at),
                    kwh(row.energy_wh),
                    closing_badge(row),
                    mark_badges(row.marks),
                ]
                for row in rows
            ],
            "empty": "It has never charged.",
            "more_url": list_url("transactions.transaction", tag__id__exact=tag.pk),
        }
    )


@TAG_FACTS.register("open_transaction_count")
def open_transaction_count(tags: list[IdTag]) -> dict[int, int]:
    return selectors.open_counts_of_tags(tag.pk for tag in tags)


@TAG_FACTS.register("last_used_at")
def last_used_at(tags: list[IdTag]) -> dict[int, datetime]:
    return selectors.last_used_at(tag.pk for tag in tags)
