"""Unknown tags: those that were presented and are not stored, with an Add action."""

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display

from evcharging.back_office.display import ago, link, literal, when
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ReadOnlyAdmin, RowButtons
from id_tags.models import UnknownIdTag
from id_tags.services.unknown_tags import add_unknown_id_tag


@admin.register(UnknownIdTag)
class UnknownIdTagAdmin(RowButtons, ReadOnlyAdmin):
    ordering = ("-last_seen_at", "-pk")
    list_display = ("tag_text", "of_station", "times", "last_seen", "first_seen", "decide")
    list_filter = (("station", AutocompleteSelectFilter), ("last_seen_at", PeriodFilter))
    list_select_related = ("station",)
    search_fields = ("id_tag", "station__identity")
    search_help_text = "Tag or station"
    fields = ("id_tag", "station", "count", "first_seen_at", "last_seen_at")
    actions = ("add_tags",)
    row_buttons = {"add": "add_one"}

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("id_tags.add_idtag")

    @display(description="Tag", ordering="id_tag")
    def tag_text(self, unknown: UnknownIdTag) -> SafeString:
        return literal(unknown.id_tag, 60)

    @display(description="Last presented at", ordering="station__identity")
    def of_station(self, unknown: UnknownIdTag) -> SafeString:
        return link(unknown.station)

    @display(description="Times", ordering="count")
    def times(self, unknown: UnknownIdTag) -> int:
        return unknown.count

    @display(description="Last", ordering="last_seen_at")
    def last_seen(self, unknown: UnknownIdTag) -> SafeString:
        return ago(unknown.last_seen_at)

    @display(description="First", ordering="first_seen_at")
    def first_seen(self, unknown: UnknownIdTag) -> SafeString:
        return when(unknown.first_seen_at)

    @display(description="")
    def decide(self, unknown: UnknownIdTag) -> SafeString:
        return self.row_button("add", unknown, "Add")

    def add_one(self, request: HttpRequest, pk: int) -> None:
        self._add(request, [pk])

    @admin.action(description="Add as accepted tags", permissions=["decide"])
    def add_tags(self, request: HttpRequest, queryset: QuerySet[UnknownIdTag]) -> None:
        self._add(request, list(queryset.values_list("pk", flat=True)))

    def _add(self, request: HttpRequest, pks: list[int]) -> None:
        added, gone = [], 0
        for pk in pks:
            try:
                added.append(add_unknown_id_tag(unknown_id=pk))
            except UnknownIdTag.DoesNotExist:  # another user added it in the meantime
                gone += 1
        if added:
            self.log_changes(request, added, "Added from the unknown tags.")
            names = ", ".join(tag.id_tag for tag in added[:5]) + (" …" if len(added) > 5 else "")
            self.message_user(request, f"Accepted: {names}.", messages.SUCCESS)
        if gone:
            self.message_user(request, f"{gone} were added or forgotten meanwhile.", messages.WARNING)
