"""New passwords of stations: generated, shown once in the response that sets them, stored as a salted hash."""

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from evcharging.back_office.confirmation import confirm
from evcharging.back_office.model_admins import BackOfficeAdmin
from evcharging.back_office.pages import admin_page
from stations.models import Station
from stations.passwords import generate_password
from stations.services.enrolment import set_station_password

MAX_AT_ONCE = 500
EXPLANATION = (
    "A new password is generated and shown once. The charger needs it for its next connection: until it is entered "
    "there, the charger is refused."
)


def set_one(model_admin: BackOfficeAdmin, request: HttpRequest, station: Station) -> HttpResponse:
    """Set a new password of a station after a confirmation, and show it."""
    return confirm(
        request,
        model_admin,
        act=lambda: _set_and_show(model_admin, request, [station], "../change/"),
        obj=station,
        title=f"Set a new password for {station.identity}?",
        explanation=EXPLANATION,
        submit="Set password",
    )


def set_many(model_admin: BackOfficeAdmin, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse:
    """Set new passwords of the selected stations; the confirmation posts the same action with `answered`."""
    stations = list(queryset.order_by("identity")[: MAX_AT_ONCE + 1])
    changelist = reverse("admin:stations_station_changelist")
    if len(stations) > MAX_AT_ONCE:
        model_admin.message_user(request, f"At most {MAX_AT_ONCE} stations at once.", messages.ERROR)
        return HttpResponseRedirect(changelist)
    selected = [(ACTION_CHECKBOX_NAME, str(station.pk)) for station in stations]
    return confirm(
        request,
        model_admin,
        act=lambda: _set_and_show(model_admin, request, stations, changelist),
        is_confirmed="answered" in request.POST,
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
    title = "New password" if len(stations) == 1 else "New passwords"
    # AdminSite.admin_view sets Cache-Control: no-store, so that no browser or proxy keeps the page.
    return admin_page(
        request, model_admin, "admin/stations/passwords.html", title=title, passwords=passwords, back_url=back_url
    )
