"""Panels: the read-only sections above the form of a row's page, each supplied by the app that owns its data.

A page lists the names of its panels once (stations/admin/station_page.py); apps register the panels under these names
(<app>/admin/station_panels.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.checks import CheckMessage
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from evcharging.back_office.display import may_see
from evcharging.back_office.registry import Registry

TABLE = "back_office/table.html"
_SEVERITY = {"danger": 0, "warning": 1, "info": 2, "success": 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence at the top of the page; `kind` is danger, warning, info or success, and is shown in that order."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class PanelContent:
    """The variables of a panel's template, and the findings it adds to the top of the page."""

    variables: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


Load = Callable[[HttpRequest, Any], PanelContent]


@dataclass(frozen=True, slots=True)
class Panel:
    """A section of a row's page; hidden from users who may not view `model` ("transactions.transaction").

    `load` runs a constant number of queries.
    """

    title: str
    template: str
    load: Load
    model: str


class PanelLayout(Registry[Panel]):
    """The panels of a row's page: the `wide` ones over the whole width, then the `narrow` ones in two columns."""

    def __init__(self, *, wide: Sequence[str], narrow: Sequence[str] = ()) -> None:
        super().__init__([*wide, *narrow])
        self.narrow = frozenset(narrow)

    def panel(self, name: str, *, model: str, title: str = "", template: str = TABLE) -> Callable[[Load], Load]:
        """Register a function as the `load` of a panel (a decorator).

        :raises ValueError: the name is taken.
        """

        def decorate(load: Load) -> Load:
            self._add(name, Panel(title, template, load, model))
            return load

        return decorate


class PanelPage(ModelAdmin):
    """A ModelAdmin whose change page shows the panels of `layout` above the form."""

    layout: PanelLayout
    change_form_outer_before_template = "back_office/panels.html"

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        return [*super().check(**kwargs), *self.layout.check(type(self))]

    def render_change_form(
        self,
        request: HttpRequest,
        context: dict[str, Any],
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Model | None = None,
    ) -> HttpResponse:
        if obj is not None:
            shown, findings = [], []
            for name, panel in self.layout.items():
                if may_see(request, panel.model):
                    content = panel.load(request, obj)
                    findings += content.findings
                    shown.append(
                        {
                            "title": panel.title,
                            "template": panel.template,
                            "is_narrow": name in self.layout.narrow,
                            **content.variables,
                        }
                    )
            context["panels"] = shown
            context["findings"] = sorted(findings, key=lambda finding: _SEVERITY[finding.kind])
        return super().render_change_form(request, context, add, change, form_url, obj)
