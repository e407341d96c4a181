"""Confirmation pages: they ask for a reason or a choice before something is done, and act on POST only."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminTextareaWidget

from evcharging.back_office.pages import admin_page


class ReasonForm(forms.Form):
    """The reason for an action; stored with its effect."""

    note = forms.CharField(
        label="Reason",
        max_length=1000,
        widget=UnfoldAdminTextareaWidget({"rows": 3}),
        help_text="Kept with the record.",
    )


def confirm(
    request: HttpRequest,
    model_admin: ModelAdmin,
    *,
    act: Callable[[], HttpResponse | None],
    form: forms.Form | None = None,
    is_confirmed: bool | None = None,
    back_url: str = "../change/",
    **page: Any,
) -> HttpResponse:
    """Show a confirmation page; once it is confirmed, act and go on.

    :param act: returns where to go, None for `back_url`. Errors that it adds to the form show the page again.
    :param is_confirmed: without a form, whether the request confirms; by default every POST does. With a form, its
        validity decides.
    :param page: the arguments of `confirmation_page`.
    """
    if form is not None:
        is_confirmed = form.is_valid()
    elif is_confirmed is None:
        is_confirmed = request.method == "POST"
    if is_confirmed:
        response = act()
        if form is None or not form.errors:
            return response or HttpResponseRedirect(back_url)
    return confirmation_page(request, model_admin, form=form, back_url=back_url, **page)


def confirmation_page(
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
    """Return a confirmation page; it is posted to its own address.

    :param submit: the text of the button.
    :param hidden: (name, value) pairs that are posted along, such as the selection of a list's action.
    """
    return admin_page(
        request,
        model_admin,
        "back_office/confirmation.html",
        object=obj,
        title=title,
        explanation=explanation,
        button=submit,  # Unfold's button component has a variable "submit" of its own
        form=form,
        hidden=hidden or [],
        is_dangerous=is_dangerous,
        back_url=back_url,
        **variables,
    )
