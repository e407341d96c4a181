"""Panels: what a row's page shows above its form, each supplied by the app that knows it.

An app higher in the order of imports adds its panels to the page of a lower one (transactions to a station's page), so
that the lower one need not know it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from unfold.admin import ModelAdmin

from evcharging.back_office.display import may_see

_SEVERITY = {"danger": 0, "warning": 1, "info": 2, "success": 3}


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence a person should read first; `kind` is danger, warning, info or success."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class PanelContent:
    """What a panel shows: its template's variables, and the findings it contributes to the top of the page."""

    variables: dict[str, Any] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Panel:
    """A piece of a row's page.

    `load` runs a constant number of queries. Who may not see `model` ("transactions.transaction") sees no panel.
    Panels stand in the order of `position`, first those over the whole width, then the narrow ones in columns.
    """

    title: str
    template: str
    load: Callable[[HttpRequest, Any], PanelContent]
    model: str
    position: int
    is_narrow: bool = False


class PanelPage(ModelAdmin):
    """A ModelAdmin whose page shows panels above the form."""

    panels: list[Panel]
    change_form_outer_before_template = "back_office/panels.html"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.panels = []

    @classmethod
    def add_panel(cls, panel: Panel) -> None:
        """Show a panel on every row's page."""
        cls.panels = sorted([*cls.panels, panel], key=lambda each: each.position)

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
            for panel in self.panels:
                if may_see(request, panel.model):
                    content = panel.load(request, obj)
                    findings += content.findings
                    shown.append(
                        {
                            "title": panel.title,
                            "template": panel.template,
                            "is_narrow": panel.is_narrow,
                            **content.variables,
                        }
                    )
            context["panels"] = shown
            context["findings"] = sorted(findings, key=lambda finding: _SEVERITY[finding.kind])
        return super().render_change_form(request, context, add, change, form_url, obj)
