"""Formats values for pages: badges, times, quantities, links. Text of chargers is always escaped (format_html)."""

from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.admin.utils import quote
from django.db.models import Model
from django.http import HttpRequest
from django.template.defaultfilters import date as format_date
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from evcharging.db.watt_hours import trimmed

NOTHING = SafeString("")
"""Shown for a missing value: on a narrow screen the stylesheet hides empty cells of a list (td:empty)."""

#: Badge kinds: the names of Unfold's label variants, and of the stylesheet's classes (bo-success …).
GOOD, BAD, UNSURE, NEWS, PLAIN = "success", "danger", "warning", "info", "default"


def badge(text: object, kind: str = PLAIN, title: str = "") -> SafeString:
    """Return a coloured label; `title` is its tooltip."""
    return format_html('<span class="bo-badge bo-{}" title="{}">{}</span>', kind, title, text)


def joined(fragments: Iterable[SafeString]) -> SafeString:
    """Return HTML fragments as one, separated by spaces, so that a line can break between them."""
    return format_html_join(" ", "{}", ((fragment,) for fragment in fragments))


def duration(seconds: float) -> str:
    """Return a duration in its two largest units: 45 s, 12 min, 3 h 5 min, 2 d 4 h."""
    whole = int(abs(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86400
    if minutes < 60:
        return f"{minutes} min"
    if hours < 24:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{days} d {hours % 24} h" if hours % 24 and days < 10 else f"{days} d"


def at(instant: datetime | None) -> str:
    """Return an instant in UTC as text."""
    return NOTHING if instant is None else format_date(instant, "Y-m-d H:i:s")


def between(since: datetime, until: datetime) -> str:
    """Return the duration from one instant to another."""
    return duration((until - since).total_seconds())


def ago(instant: datetime | None) -> SafeString:
    """Return how long ago an instant was, with the instant as its tooltip."""
    return NOTHING if instant is None else _time(instant, shown=_relative(instant), title=f"{at(instant)} UTC")


def when(instant: datetime | None) -> SafeString:
    """Return an instant in UTC, with its age as the tooltip."""
    return NOTHING if instant is None else _time(instant, shown=at(instant), title=_relative(instant))


def _relative(instant: datetime) -> str:
    now = timezone.now()
    return f"{between(instant, now)} ago" if instant <= now else f"in {between(now, instant)}"


def _time(instant: datetime, *, shown: str, title: str) -> SafeString:
    return format_html('<time class="bo-time" datetime="{}" title="{}">{}</time>', instant.isoformat(), title, shown)


def kwh(energy_wh: float | Decimal | None) -> str:
    """Return an energy in kWh, to the Wh."""
    return NOTHING if energy_wh is None else f"{energy_wh / 1000:,.3f} kWh"


def wh(reading: Decimal | None) -> str:
    """Return a register reading in Wh, with decimals only where it has a fraction."""
    return NOTHING if reading is None else f"{trimmed(reading):,} Wh"


def kw(power_w: float | None) -> str:
    return NOTHING if power_w is None else f"{power_w / 1000:,.2f} kW"


def nowrap(text: str) -> SafeString:
    """Return text that is kept on one line."""
    return format_html('<span class="bo-nowrap">{}</span>', text) if text else NOTHING


def percent(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.0f} %"


def drift(seconds: float | None) -> str:
    """Return a clock drift with its sign; +3 s: the charger's clock is ahead."""
    if seconds is None:
        return NOTHING
    if abs(seconds) < 1:
        return "0 s"
    return ("+" if seconds > 0 else "−") + duration(seconds)


def change_url(row: Model) -> str:
    """Return the URL of a row's change page."""
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[quote(row.pk)])


def list_url(model: str, **filters: Any) -> str:
    """Return the URL of a model's list ("stations.station"), with filters as its query."""
    query = {name: str(value) for name, value in filters.items()}
    return reverse(f"admin:{model.replace('.', '_')}_changelist", query=query or None)


def link(row: Model | None, text: object | None = None) -> SafeString:
    """Return a link to a row's change page; the text is truncated, since an identity may have 255 characters."""
    if row is None:
        return NOTHING
    return anchor(change_url(row), shortened(str(row if text is None else text), 48))


def anchor(url: str, text: object) -> SafeString:
    """Return a link to a URL of the admin."""
    return format_html('<a class="bo-link" href="{}">{}</a>', url, text)


def literal(text: str, limit: int = 120) -> SafeString:
    """Return text of a charger verbatim, truncated to `limit` characters, with the whole as its tooltip."""
    if not text:
        return NOTHING
    return format_html('<code class="bo-literal" title="{}">{}</code>', text, shortened(text, limit))


def shortened(text: str, limit: int) -> str:
    """Return text truncated to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def may_see(request: HttpRequest, model: str) -> bool:
    """Tell whether the user may view rows of a model ("stations.station")."""
    app_label, _, name = model.partition(".")
    return any(request.user.has_perm(f"{app_label}.{verb}_{name}") for verb in ("view", "change"))
