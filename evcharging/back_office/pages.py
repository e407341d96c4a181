"""Pages of the admin besides the lists and forms that ModelAdmin renders."""

from typing import Any

from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.admin import ModelAdmin


def admin_page(request: HttpRequest, model_admin: ModelAdmin, template: str, **variables: Any) -> TemplateResponse:
    """Return a page with the menu and breadcrumbs of a ModelAdmin."""
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    context = {**model_admin.admin_site.each_context(request), "opts": model_admin.opts, **variables}
    return TemplateResponse(request, template, context)
