"""Unmatched messages (orphans): their transaction id matches no transaction; staff adopt or dismiss them."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, DropdownFilter
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminRadioSelectWidget

from evcharging.back_office.confirmation import ReasonForm, confirm
from evcharging.back_office.display import NEWS, UNSURE, at, badge, link, literal, wh, when
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ActionsWhile, ReadOnlyAdmin
from stations.admin.columns import of_station
from transactions.admin.badges import ORPHAN_KINDS
from transactions.models import OrphanKind, OrphanMessage, OrphanState, Transaction
from transactions.selectors import adoption_candidates
from transactions.services.orphans import OrphanAlreadyResolved, OrphanDoesNotFit, adopt_orphan, dismiss_orphan


class StateFilter(DropdownFilter):
    """Filters by state; by default only messages that wait for review are listed."""

    title = "state"
    parameter_name = "state"
    all_option = ["", "Waiting for review"]

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [(OrphanState.ADOPTED, "Adopted"), (OrphanState.DISMISSED, "Dismissed"), ("all", "All")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[OrphanMessage]) -> QuerySet[OrphanMessage]:
        state = self.value() or OrphanState.WAITING
        return queryset.filter(state=state) if state in OrphanState.values else queryset


class AdoptForm(ReasonForm):
    """The transaction to which the message belongs, and the reason."""

    transaction_id = forms.TypedChoiceField(label="Transaction", coerce=int, widget=UnfoldAdminRadioSelectWidget)
    field_order = ("transaction_id", "note")

    def __init__(self, *args: Any, candidates: list[Transaction], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["transaction_id"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [(row.transaction_id, _described(row)) for row in candidates]


@admin.register(OrphanMessage)
class OrphanMessageAdmin(ActionsWhile, ReadOnlyAdmin):
    ordering = ("-received_at", "-pk")
    list_display = (
        "received",
        of_station,
        "kind_badge",
        "reference",
        "tag",
        "register",
        "count",
        "state_badge",
        "of_transaction",
    )
    list_filter = (
        StateFilter,
        ("kind", ChoicesDropdownFilter),
        ("station", AutocompleteSelectFilter),
        ("received_at", PeriodFilter),
    )
    list_select_related = ("station", "transaction")
    search_fields = ("station__identity", "station__name", "transaction_ref", "id_tag")
    search_help_text = "Station, reported id or tag"
    actions_detail = ("adopt", "dismiss")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "station", "kind", "transaction_ref", "connector_id", "id_tag", "meter_stop", "stop_reason",
                    "reported_at", "effective_at", "last_effective_at", "received_at", "last_received_at", "count",
                    "payload",
                )
            },
        ),
        ("Review", {"fields": ("state", "transaction", "resolved_by", "resolved_at", "resolution_note")}),
    )  # fmt: skip

    def has_resolve_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("transactions.change_orphanmessage")

    # The list

    @display(description="Received", ordering="received_at")
    def received(self, orphan: OrphanMessage) -> SafeString:
        return when(orphan.received_at)

    @display(description="Kind", ordering="kind")
    def kind_badge(self, orphan: OrphanMessage) -> SafeString:
        is_stop = orphan.kind == OrphanKind.STOP
        return badge(orphan.get_kind_display(), UNSURE if is_stop else NEWS)

    @display(description="Reported id", ordering="transaction_ref")
    def reference(self, orphan: OrphanMessage) -> SafeString:
        return literal(orphan.transaction_ref, 24)

    @display(description="Tag", ordering="id_tag")
    def tag(self, orphan: OrphanMessage) -> SafeString:
        return literal(orphan.id_tag, 24)

    @display(description="Meter stop", ordering="meter_stop")
    def register(self, orphan: OrphanMessage) -> str:
        return wh(orphan.meter_stop)

    @display(description="State", ordering="state")
    def state_badge(self, orphan: OrphanMessage) -> SafeString:
        return badge(orphan.get_state_display(), ORPHAN_KINDS[OrphanState(orphan.state)], orphan.resolution_note)

    @display(description="Transaction")
    def of_transaction(self, orphan: OrphanMessage) -> SafeString:
        return link(orphan.transaction)

    # Review

    def actionable(self) -> QuerySet[OrphanMessage]:
        return OrphanMessage.objects.filter(state=OrphanState.WAITING)

    @action(description="Adopt", icon="link", url_path="adopt", permissions=["resolve"])
    def adopt(self, request: HttpRequest, object_id: str) -> HttpResponse:
        orphan = get_object_or_404(OrphanMessage.objects.select_related("station"), pk=object_id)
        form = AdoptForm(request.POST or None, candidates=adoption_candidates(orphan))

        def act() -> None:
            try:
                row = adopt_orphan(
                    orphan_id=orphan.pk,
                    transaction_id=form.cleaned_data["transaction_id"],
                    resolved_by=request.user.get_username(),
                    note=form.cleaned_data["note"],
                    now=timezone.now(),
                )
            except OrphanDoesNotFit as error:
                form.add_error("transaction_id", ValidationError(f"It does not fit: {error}."))
            except OrphanAlreadyResolved as error:
                self.message_user(request, f"Nothing was changed: {error}.", messages.ERROR)
            else:
                self.log_changes(request, [orphan], f"Adopted by transaction {row.transaction_id}.")
                self.message_user(
                    request, f"Transaction {row.transaction_id} has adopted the message.", messages.SUCCESS
                )

        effect = (
            "It ends the transaction, as its own stop would have."
            if orphan.kind == OrphanKind.STOP
            else "Its samples join the transaction's."
        )
        return confirm(
            request,
            self,
            act=act,
            obj=orphan,
            title="Which transaction does this message belong to?",
            explanation=f"{effect} Candidates are this station's transactions, the likeliest first.",
            submit="Adopt",
            form=form,
            facts=_facts(orphan),
        )

    @action(description="Dismiss", icon="delete_sweep", url_path="dismiss", permissions=["resolve"])
    def dismiss(self, request: HttpRequest, object_id: str) -> HttpResponse:
        orphan = get_object_or_404(OrphanMessage.objects.select_related("station"), pk=object_id)
        form = ReasonForm(request.POST or None)

        def act() -> None:
            try:
                dismiss_orphan(
                    orphan_id=orphan.pk,
                    resolved_by=request.user.get_username(),
                    note=form.cleaned_data["note"],
                    now=timezone.now(),
                )
            except OrphanAlreadyResolved as error:
                self.message_user(request, f"Nothing was changed: {error}.", messages.ERROR)
            else:
                self.log_changes(request, [orphan], "Dismissed.")
                self.message_user(request, "The message is dismissed; it stays stored.", messages.SUCCESS)

        return confirm(
            request,
            self,
            act=act,
            obj=orphan,
            title="Dismiss this message?",
            explanation="It needs nothing more, and no transaction gets it. It stays stored.",
            submit="Dismiss",
            form=form,
            facts=_facts(orphan),
        )


def _facts(orphan: OrphanMessage) -> list[tuple[str, Any]]:
    return [
        ("Station", link(orphan.station)),
        ("Kind", orphan.get_kind_display()),
        ("Reported id", literal(orphan.transaction_ref)),
        ("Tag", literal(orphan.id_tag)),
        ("Time", when(orphan.effective_at)),
        ("Meter stop", wh(orphan.meter_stop)),
    ]


def _described(row: Transaction) -> str:
    parts = [
        f"{row.transaction_id}",
        f"connector {row.connector.connector_id}",
        f"tag {row.id_tag or '–'}",
        f"{at(row.started_at)} → {'open' if row.stopped_at is None else at(row.stopped_at)}",
    ]
    if row.meter_start is not None:
        parts.append(f"from {row.meter_start:,} Wh")
    return " · ".join(parts)
