"""New passwords: generated, shown once in the answer to the request that set them, and kept nowhere in clear."""

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from evcharging.back_office.confirmation import ask
from evcharging.back_office.model_admins import BackOfficeAdmin
from stations.models import Station
from stations.passwords import generate_password
from stations.services.enrolment import set_station_password

MAX_AT_ONCE = 500
EXPLANATION = (
    "A new password is generated and shown once. The charger needs it for its next connection: until it is entered "
    "there, the charger is refused."
)


def set_one(model_admin: BackOfficeAdmin, request: HttpRequest, station: Station) -> HttpResponse:
    """Ask on GET, set and show on POST."""
    if request.method == "POST":
        return _set_and_show(model_admin, request, [station], "../change/")
    return ask(
        request,
        model_admin,
        obj=station,
        title=f"Set a new password for {station.identity}?",
        explanation=EXPLANATION,
        submit="Set password",
    )


def set_many(model_admin: BackOfficeAdmin, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse:
    """Ask about the selected stations; the answer comes as the same action again, with `answered`."""
    stations = list(queryset.order_by("identity")[: MAX_AT_ONCE + 1])
    changelist = reverse("admin:stations_station_changelist")
    if len(stations) > MAX_AT_ONCE:
        model_admin.message_user(request, f"At most {MAX_AT_ONCE} stations at once.", messages.ERROR)
        return HttpResponseRedirect(changelist)
    if "answered" in request.POST:
        return _set_and_show(model_admin, request, stations, changelist)
    selected = [(ACTION_CHECKBOX_NAME, str(station.pk)) for station in stations]
    return ask(
        request,
        model_admin,
        title=f"Set new passwords for {len(stations)} stations?",
        explanation=EXPLANATION,
        submit="Set passwords",
        hidden=[("action", "set_passwords"), ("answered", "yes"), *selected],
        back_url=changelist,
        names=[station.identity for station in stations],
    )


def _set_and_show(
    model_admin: BackOfficeAdmin, request: HttpRequest, stations: list[Station], back_url: str
) -> HttpResponse:
    passwords = [(station.identity, generate_password()) for station in stations]
    with transaction.atomic():
        for station, (_, password) in zip(stations, passwords, strict=True):
            set_station_password(station_id=station.pk, password=password)
        model_admin.log_changes(request, stations, "Password set.")
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    # The admin answers with no-store: no browser or proxy keeps it.
    return TemplateResponse(
        request,
        "admin/stations/passwords.html",
        {
            **model_admin.admin_site.each_context(request),
            "opts": model_admin.opts,
            "title": "New password" if len(stations) == 1 else "New passwords",
            "passwords": passwords,
            "back_url": back_url,
        },
    )
