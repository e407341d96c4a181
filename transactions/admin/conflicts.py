"""Stop conflicts: later StopTransactions that differ from the one applied; read-only."""

from django.contrib import admin
from django.utils.safestring import SafeString
from unfold.decorators import display

from evcharging.back_office.display import link, literal, wh, when
from evcharging.back_office.filters import PeriodFilter
from evcharging.back_office.model_admins import ReadOnlyAdmin
from transactions.models import StopConflict


@admin.register(StopConflict)
class StopConflictAdmin(ReadOnlyAdmin):
    ordering = ("-pk",)
    list_display = ("received", "of_transaction", "of_station", "applied", "reported", "message")
    list_filter = (("received_at", PeriodFilter),)
    list_select_related = ("transaction__station",)
    search_fields = ("=transaction__transaction_id", "transaction__station__identity")
    search_help_text = "Transaction id or station"
    fields = ("transaction", "received_at", "meter_stop", "stop_reason", "reported_at", "payload")

    @display(description="Received", ordering="received_at")
    def received(self, conflict: StopConflict) -> SafeString:
        return when(conflict.received_at)

    @display(description="Transaction")
    def of_transaction(self, conflict: StopConflict) -> SafeString:
        return link(conflict.transaction)

    @display(description="Station")
    def of_station(self, conflict: StopConflict) -> SafeString:
        return link(conflict.transaction.station)

    @display(description="Applied meter stop")
    def applied(self, conflict: StopConflict) -> str:
        return wh(conflict.transaction.meter_stop)

    @display(description="Said")
    def reported(self, conflict: StopConflict) -> str:
        return wh(conflict.meter_stop)

    @display(description="Message")
    def message(self, conflict: StopConflict) -> SafeString:
        return literal(str(conflict.payload))
