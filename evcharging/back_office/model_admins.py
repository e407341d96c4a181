"""Base classes of the project's ModelAdmins."""

from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Model, ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.admin import ModelAdmin
from unfold.views import ChangeList

from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.paginators import BoundedPaginator, InfinitePaginator
from evcharging.db.time_windows import has_rows
from evcharging.db.watt_hours import WattHoursField


class BoundedChangeList(ChangeList):
    """A list that does not count the table: an unfiltered one reuses the paginator's bounded count."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class BackOfficeAdmin(ModelAdmin):
    """A table that staff edit; rows are deleted one by one, and only those to which nothing refers."""

    list_per_page = 50
    list_fullwidth = True
    list_filter_submit = True
    show_full_result_count = False
    paginator = BoundedPaginator
    warn_unsaved_form = True
    empty_value_display = "–"

    #: Reverse relations whose rows prevent deletion.
    kept_by: tuple[str, ...] = ()

    @cached_property
    def readonly_preprocess_fields(self) -> dict[str, Any]:
        """What unfold passes a shown value through: Django fills up decimals to the column's places."""
        columns = [field.name for field in self.opts.fields if isinstance(field, WattHoursField)]
        return dict.fromkeys(columns, _without_last_zeros)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return BoundedChangeList

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        if not super().has_delete_permission(request, obj):
            return False
        return not isinstance(obj, Model) or not self.has_history(obj)

    def has_history(self, obj: Model) -> bool:
        """Tell whether rows of `kept_by` refer to the row."""
        return any(has_rows(getattr(obj, name).all()) for name in self.kept_by)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Explain why a row with history is not deleted, instead of answering 403."""
        obj = self.get_object(request, unquote(object_id))
        if obj is not None and super().has_delete_permission(request, obj) and self.has_history(obj):
            return self._refuse_deletion(request, obj)
        try:
            return super().delete_view(request, object_id, extra_context)
        except ProtectedError:  # a row that refers to it was stored between the check and the DELETE
            assert obj is not None
            return self._refuse_deletion(request, obj)

    def _refuse_deletion(self, request: HttpRequest, obj: Model) -> HttpResponse:
        name = obj._meta.verbose_name
        self.message_user(
            request, f"The {name} {obj} has history and stays. {self.instead_of_deleting}", messages.ERROR
        )
        return HttpResponseRedirect("../change/")

    instead_of_deleting = ""

    def log_changes(self, request: HttpRequest, rows: Iterable[Model], message: str) -> None:
        """Add an entry to each row's history (LogEntry): what this user did to it."""
        assert request.user.pk is not None
        LogEntry.objects.log_actions(request.user.pk, list(rows), CHANGE, message)


def _without_last_zeros(number: str) -> str:
    return number.rstrip("0").rstrip(".") if "." in number else number


class ReadOnlyAdmin(BackOfficeAdmin):
    """A table that only the system writes: staff list and view it."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


class ActionsWhile(ModelAdmin):
    """Offers the actions of a row's page only to rows in `actionable`, such as transactions that are open."""

    def actionable(self) -> QuerySet:
        raise NotImplementedError

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        offered = super().get_actions_detail(request, object_id)
        return offered if offered and self.actionable().filter(pk=object_id).exists() else []


class RowButtons(ModelAdmin):
    """Buttons in the rows of a list, in the column `decide`; they submit the list's form.

    `row_buttons` maps a button's name to the method that is called with the request and the row's primary key. Users
    without `has_decide_permission` see no column.
    """

    row_buttons: dict[str, str] = {}

    def has_decide_permission(self, request: HttpRequest) -> bool:
        raise NotImplementedError

    def row_button(self, name: str, row: Model, text: str) -> SafeString:
        """Return a row's button."""
        return format_html('<button class="bo-button" name="row:{}" value="{}">{}</button>', name, row.pk, text)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        for name, method in self.row_buttons.items():
            if request.method == "POST" and f"row:{name}" in request.POST:
                if not self.has_decide_permission(request):
                    raise PermissionDenied
                pk = request.POST[f"row:{name}"]
                if not pk.isdecimal():
                    return HttpResponseBadRequest()
                getattr(self, method)(request, int(pk))
                return HttpResponseRedirect(request.get_full_path())
        return super().changelist_view(request, extra_context)

    def get_list_display(self, request: HttpRequest) -> list[str]:
        columns = super().get_list_display(request)
        return [column for column in columns if column != "decide" or self.has_decide_permission(request)]


class HypertableChangeList(ChangeList):
    """Rows of a hypertable by time; without a station in the filter, those of HypertableAdmin.without_station.

    Django's own list appends the primary key to ORDER BY; a hypertable has no index on it.
    """

    model_admin: "HypertableAdmin"

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list[str]:
        return list(self.model_admin.time_ordering)

    def get_queryset(self, request: HttpRequest, exclude_parameters: list[str | None] | None = None) -> QuerySet:
        queryset = super().get_queryset(request, exclude_parameters)
        station = request.GET.get(self.model_admin.station_parameter, "")
        self.has_station = bool(station)
        if self.has_station:
            return self.model_admin.with_station(queryset, int(station)) if station.isdecimal() else queryset.none()
        period = next(spec for spec in self.filter_specs if isinstance(spec, PeriodFilter))
        return self.model_admin.without_station(queryset, period)


class HypertableAdmin(ReadOnlyAdmin):
    """A hypertable: listed by station and time, never counted, no row looked up by its id (no index on it)."""

    list_per_page = 100
    paginator = InfinitePaginator
    actions = None
    list_display_links = None
    sortable_by = ()
    time_ordering: tuple[str, ...] = ("-effective_at",)
    station_parameter = "station__id__exact"

    def without_station(self, queryset: QuerySet, period: PeriodFilter) -> QuerySet:
        """Return the rows listed without a station in the filter: few enough to be sorted without an index."""
        raise NotImplementedError

    def with_station(self, queryset: QuerySet, station_pk: int) -> QuerySet:
        """Return the rows of the station in the filter, by a constant that the table's index begins with."""
        return queryset

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return HypertableChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> None:
        """Return None, so that the change page redirects: the table has no index on the id."""
