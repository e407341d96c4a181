"""Refused connections by identity and reason, with an Accept action."""

from django.contrib import admin, messages
from django.db.models import CharField, OuterRef, QuerySet, Subquery
from django.db.models.functions import Lower
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from evcharging.back_office.display import BAD, NEWS, NOTHING, UNSURE, ago, badge, literal, when
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ReadOnlyAdmin, RowButtons
from stations.models import RefusalReason, RefusedConnection, Station
from stations.services.refusals import accept_refused_identity

REASON_KINDS = {RefusalReason.UNKNOWN_IDENTITY: NEWS, RefusalReason.WRONG_PASSWORD: BAD}


@admin.register(RefusedConnection)
class RefusedConnectionAdmin(RowButtons, ReadOnlyAdmin):
    """`identity` comes from an unauthenticated connection: it may hold any characters."""

    ordering = ("-last_seen_at", "-pk")
    list_display = ("identity_text", "why", "times", "last_seen", "first_seen", "remote_address", "known", "decide")
    list_filter = (("reason", ChoicesDropdownFilter), ("last_seen_at", PeriodFilter))
    search_fields = ("identity", "remote_address")
    search_help_text = "Identity or address"
    actions = ("accept_identities",)
    fields = ("identity", "reason", "remote_address", "detail", "count", "first_seen_at", "last_seen_at")
    row_buttons = {"accept": "accept_one"}

    def get_queryset(self, request: HttpRequest) -> QuerySet[RefusedConnection]:
        stations = Station.objects.alias(folded=Lower("identity")).filter(folded=Lower(OuterRef("identity")))
        return (
            super()
            .get_queryset(request)
            .annotate(
                station_pk=Subquery(stations.values("pk")[:1]),
                station_identity=Subquery(stations.values("identity")[:1], output_field=CharField()),
            )
        )

    def has_decide_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("stations.change_station")

    @display(description="Identity", ordering="identity")
    def identity_text(self, refused: RefusedConnection) -> SafeString:
        return literal(refused.identity, 60)

    @display(description="Reason", ordering="reason")
    def why(self, refused: RefusedConnection) -> SafeString:
        return badge(refused.get_reason_display(), REASON_KINDS.get(RefusalReason(refused.reason), UNSURE))

    @display(description="Times", ordering="count")
    def times(self, refused: RefusedConnection) -> int:
        return refused.count

    @display(description="Last", ordering="last_seen_at")
    def last_seen(self, refused: RefusedConnection) -> SafeString:
        return ago(refused.last_seen_at)

    @display(description="First", ordering="first_seen_at")
    def first_seen(self, refused: RefusedConnection) -> SafeString:
        return when(refused.first_seen_at)

    @display(description="Station")
    def known(self, refused: RefusedConnection) -> SafeString:
        pk = getattr(refused, "station_pk", None)
        if pk is None:
            return NOTHING
        url = reverse("admin:stations_station_change", args=[pk])
        return format_html('<a class="bo-link" href="{}">{}</a>', url, getattr(refused, "station_identity", ""))

    @display(description="")
    def decide(self, refused: RefusedConnection) -> SafeString:
        return self.row_button("accept", refused, "Accept") if _is_acceptable(refused) else SafeString("")

    def accept_one(self, request: HttpRequest, pk: int) -> None:
        self._accept(request, self.get_queryset(request).filter(pk=pk))

    @admin.action(description="Accept these identities", permissions=["decide"])
    def accept_identities(self, request: HttpRequest, queryset: QuerySet[RefusedConnection]) -> None:
        self._accept(request, queryset)

    def _accept(self, request: HttpRequest, queryset: QuerySet[RefusedConnection]) -> None:
        accepted, left, seen = [], 0, set()
        for refused in queryset:
            folded = refused.identity.lower()
            if folded in seen or not _is_acceptable(refused):
                left += folded not in seen
                continue
            seen.add(folded)
            try:
                accepted.append(accept_refused_identity(refused_id=refused.pk, now=timezone.now()))
            except RefusedConnection.DoesNotExist:  # another user accepted it in the meantime
                left += 1
        if accepted:
            self.log_changes(request, accepted, "Accepted from the refused connections.")
            names = ", ".join(station.identity for station in accepted[:5]) + (" …" if len(accepted) > 5 else "")
            self.message_user(request, f"Accepted: {names}.", messages.SUCCESS)
        if left:
            text = (
                f"{left} left as they are: stations that are known already, identities that nobody can read, or gone."
            )
            self.message_user(request, text, messages.WARNING)


def _is_acceptable(refused: RefusedConnection) -> bool:
    """Tell whether accepting the identity would create a new station that could connect."""
    return getattr(refused, "station_pk", None) is None and refused.reason != RefusalReason.BAD_IDENTITY
