"""Sends commands from the back office: choice of the operation, its form, redirect to the command or batch."""

from itertools import groupby

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from evcharging.back_office.confirmation import confirmation_page
from evcharging.back_office.display import change_url
from evcharging.back_office.pages import admin_page
from stations.admin.operation_forms import OPERATION_FORMS, AnyJSONForm, OperationForm
from stations.admin.permissions import CommandPermission, require_command_permission
from stations.dialects import dialect_of
from stations.models import Station
from stations.services.batches import create_batch
from stations.services.commands import CommandRefused

ANY = "any"
GROUPS = ("Charging", "Connectors", "Station", "Configuration", "Local list", "Firmware and logs", "Security", "Any")


def form_class(name: str) -> type[OperationForm]:
    """Return the form of an operation.

    :raises Http404: there is no such operation.
    """
    if name == ANY:
        return AnyJSONForm
    if name not in OPERATION_FORMS:
        named = dialect_of("").operation_of(name)  # by its Action, as in addresses that were kept
        name = "" if named is None else named.name
    if name not in OPERATION_FORMS:
        raise Http404
    return OPERATION_FORMS[name]


def operations() -> list[tuple[str, type[OperationForm]]]:
    """Return (name, form) of every operation, by group and title."""
    offered: list[tuple[str, type[OperationForm]]] = [*OPERATION_FORMS.items(), (ANY, AnyJSONForm)]
    return sorted(offered, key=lambda each: (GROUPS.index(each[1].group), each[1].title))


class CommandingAdmin(CommandPermission):
    """Adds commands to a station's page and to the list of stations."""

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("<path:object_id>/commands/", wrap(self.choose_view), name="stations_station_commands"),
            path("<path:object_id>/commands/<str:name>/", wrap(self.command_view), name="stations_station_command"),
            *super().get_urls(),
        ]

    @action(description="Send a command", icon="send", url_path="send-command", permissions=["command"])
    def send_command(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:stations_station_commands", args=[object_id]))

    def choose_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """List the operations with their purpose."""
        require_command_permission(request)
        station = get_object_or_404(Station, pk=object_id)
        return admin_page(
            request,
            self,
            "admin/stations/operations.html",
            object=station,
            title=f"Send a command to {station.identity}",
            groups=[
                (group, [(name, form.title, form.purpose()) for name, form in members])
                for group, members in groupby(operations(), key=lambda each: each[1].group)
            ],
            back_url=change_url(station),
        )

    def command_view(self, request: HttpRequest, object_id: str, name: str) -> HttpResponse:
        """Show the form of an operation; request the command, and redirect to its page."""
        require_command_permission(request)
        station = get_object_or_404(Station, pk=object_id)
        kind = form_class(name)
        form = kind(request.POST or None, station=station, initial=request.GET.dict())
        if request.method == "POST" and form.is_valid():
            try:
                command = form.request(station=station, requested_by=request.user.get_username(), now=timezone.now())
            except CommandRefused as error:
                form.add_error(None, str(error))
            else:
                self.log_changes(request, [station], f"Sent {command.action}.")  # type: ignore[attr-defined]
                return HttpResponseRedirect(change_url(command))
        return confirmation_page(
            request,
            self,
            obj=station,
            title=f"{kind.title}: {station.identity}",
            explanation=kind.purpose(),
            submit="Send",
            form=form,
            is_dangerous=kind.is_dangerous,
            back_url=change_url(station),
        )

    @admin.action(description="Send a command …", permissions=["command"])
    def command_many(self, request: HttpRequest, queryset: QuerySet[Station]) -> HttpResponse:
        """Show the choice of the operation, then its form, then create the batch; each step posts the same action."""
        across = request.POST.get("select_across", "0")
        selected = [] if across == "1" else request.POST.getlist(ACTION_CHECKBOX_NAME)
        hidden = [("action", "command_many"), ("select_across", across)]
        hidden += [(ACTION_CHECKBOX_NAME, pk) for pk in selected or request.POST.getlist(ACTION_CHECKBOX_NAME)[:1]]
        count = queryset.count()
        back_url = reverse("admin:stations_station_changelist")
        name = request.POST.get("operation", "")
        if not name:
            return confirmation_page(
                request,
                self,
                title=f"Send a command to {count} stations",
                explanation="Which one? The next page asks for what it needs.",
                submit="Next",
                form=ChoiceForm(),
                hidden=hidden,
                back_url=back_url,
            )
        kind = form_class(name)
        form = kind(request.POST if "answered" in request.POST else None)
        form.fields["stations_per_second"] = _pace()
        if form.is_bound and form.is_valid():
            pace = form.cleaned_data.pop("stations_per_second")
            try:
                with transaction.atomic():
                    batch = create_batch(
                        station_ids=queryset.values_list("pk", flat=True),
                        operation=form.said(),
                        origin=form.origin(request.user.get_username(), timezone.now()),
                        selection=_selection(request, count, across == "1"),
                        stations_per_second=pace,
                        allows_invalid=form.cleaned_data.get("insist", False),
                    )
            except CommandRefused as error:
                form.add_error(None, str(error))
            else:
                self.message_user(request, f"{batch.action} is on its way to {count} stations.", messages.SUCCESS)
                return HttpResponseRedirect(change_url(batch))
        return confirmation_page(
            request,
            self,
            title=f"{kind.title}: {count} stations",
            explanation=kind.purpose(),
            submit=f"Send to {count} stations",
            form=form,
            hidden=[*hidden, ("operation", name), ("answered", "yes")],
            is_dangerous=kind.is_dangerous,
            back_url=back_url,
        )


class ChoiceForm(forms.Form):
    """The choice of an operation."""

    operation = forms.ChoiceField(
        choices=lambda: [(name, form.title) for name, form in operations() if form.is_for_many],
        widget=UnfoldAdminSelectWidget,
    )


def _pace() -> forms.Field:
    return forms.FloatField(
        label="Stations per second",
        initial=20,
        min_value=0.1,
        max_value=1000,
        widget=UnfoldAdminTextInputWidget,
        help_text="So that not all of them restart, fetch or upload at once.",
    )


def _selection(request: HttpRequest, count: int, is_across: bool) -> str:
    filters = request.GET.urlencode()
    return f"{count} stations of the list" + (f" ({filters})" if filters else "") if is_across else f"{count} chosen"
