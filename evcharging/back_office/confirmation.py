"""Pages between a click and its effect: they ask for a reason or a choice, and act on POST only."""

from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget


class ReasonForm(forms.Form):
    """Why; kept with what is done."""

    note = forms.CharField(
        label="Reason",
        max_length=1000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Kept with the record.",
    )


def ask(
    request: HttpRequest,
    model_admin: ModelAdmin,
    *,
    title: str,
    explanation: str,
    submit: str,
    form: forms.Form | None = None,
    obj: Model | None = None,
    hidden: list[tuple[str, str]] | None = None,
    is_dangerous: bool = False,
    back_url: str = "../change/",
    **variables: Any,
) -> TemplateResponse:
    """Return the page that asks; its answer is posted to the same address.

    :param hidden: (name, value) pairs that are posted along, such as an action's selection.
    """
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    context = {
        **model_admin.admin_site.each_context(request),
        "opts": model_admin.opts,
        "object": obj,
        "title": title,
        "explanation": explanation,
        "answer": submit,  # unfold's button has a variable "submit" of its own
        "form": form,
        "hidden": hidden or [],
        "is_dangerous": is_dangerous,
        "back_url": back_url,
        **variables,
    }
    return TemplateResponse(request, "back_office/question.html", context)
