"""Id tags in the back office: list, form, actions on many, import and export."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin import ModelAdmin
from django.db import transaction
from django.db.models import Q, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone
from django.utils.safestring import SafeString
from import_export.admin import ImportExportMixin
from import_export.formats.base_formats import Format
from import_export.results import Result
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, DropdownFilter
from unfold.contrib.import_export.forms import ExportForm, ImportForm
from unfold.decorators import display

from evcharging.back_office.display import NEWS, NOTHING, ago, badge, when
from evcharging.back_office.extensible_lists import ExtensibleListAdmin
from evcharging.back_office.panels import PanelPage
from evcharging.tables.table import UnreadableTable
from id_tags.admin.badges import status_badge
from id_tags.admin.import_formats import AnyTable, GuardedCSV, TextXLSX
from id_tags.admin.import_resource import IdTagResource
from id_tags.admin.import_uploads import UploadStorage
from id_tags.admin.tag_list import TAG_FACTS
from id_tags.admin.tag_page import TAG_PAGE
from id_tags.models import IdTag, IdTagStatus, fold_id_tag
from id_tags.services.tags import set_id_tags_status, tags_saved


class ExpiryFilter(DropdownFilter):
    title = "expiry"
    parameter_name = "expiry"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> Sequence[tuple[str, str]]:
        return [("past", "Has passed"), ("coming", "To come"), ("none", "None")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[IdTag]) -> QuerySet[IdTag]:
        chosen = {
            "past": Q(expires_at__lte=timezone.now()),
            "coming": Q(expires_at__gt=timezone.now()),
            "none": Q(expires_at=None),
        }
        return queryset.filter(chosen[value]) if (value := self.value()) in chosen else queryset


class IdTagForm(forms.ModelForm):
    class Meta:
        model = IdTag
        fields = ("id_tag", "status", "expires_at", "group", "max_active_transactions", "note")

    def clean_id_tag(self) -> str:
        text = str(self.cleaned_data["id_tag"])
        folded = fold_id_tag(text)
        if len(folded) > 255:
            raise forms.ValidationError("The tag is too long.")
        if IdTag.objects.filter(id_tag_folded=folded).exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError("There is such a tag already (its case does not matter).")
        return text


@admin.register(IdTag)
class IdTagAdmin(ImportExportMixin, PanelPage, ExtensibleListAdmin):
    layout = TAG_PAGE
    row_facts = TAG_FACTS
    form = IdTagForm
    ordering = ("id_tag_folded",)
    list_display = ("id_tag", "state", "expires", "group", "limit", "charging_now", "last_used", "note_text")
    list_filter = (("status", ChoicesDropdownFilter), ExpiryFilter, ("group", AutocompleteSelectFilter))
    list_select_related = ("group",)
    search_fields = ("id_tag", "note", "group__parent_id_tag")
    search_help_text = "Tag, group or note"
    autocomplete_fields = ("group",)
    actions = ("block", "unblock", "expire")
    kept_by = ("transactions",)
    instead_of_deleting = "Block it instead."

    resource_classes = (IdTagResource,)
    import_form_class = ImportForm
    export_form_class = ExportForm
    tmp_storage_class = UploadStorage

    def get_readonly_fields(self, request: HttpRequest, obj: IdTag | None = None) -> tuple[str, ...]:
        """Make the text of a stored tag read-only: another text is another tag."""
        return () if obj is None else ("id_tag", "created_at")

    def get_fields(self, request: HttpRequest, obj: IdTag | None = None) -> tuple[str, ...]:
        fields = ("id_tag", "status", "expires_at", "group", "max_active_transactions", "note")
        return fields if obj is None else (*fields, "created_at")

    # The list

    @display(description="Status", ordering="status")
    def state(self, tag: IdTag) -> SafeString:
        return status_badge(tag)

    @display(description="Expires", ordering="expires_at")
    def expires(self, tag: IdTag) -> SafeString:
        return when(tag.expires_at)

    @display(description="Limit", ordering="max_active_transactions")
    def limit(self, tag: IdTag) -> str:
        if tag.max_active_transactions is not None:
            return str(tag.max_active_transactions or "unlimited")
        if tag.group is not None and tag.group.max_active_transactions is not None:
            return f"group: {tag.group.max_active_transactions or 'unlimited'}"
        return "1"

    @display(description="Charging")
    def charging_now(self, tag: IdTag) -> str:
        count = getattr(tag, "open_transaction_count", None)
        return badge(count, NEWS) if count else NOTHING

    @display(description="Last used")
    def last_used(self, tag: IdTag) -> SafeString:
        return ago(getattr(tag, "last_used_at", None))

    @display(description="Note")
    def note_text(self, tag: IdTag) -> str:
        return tag.note if len(tag.note) <= 60 else f"{tag.note[:59]}…"

    # Saving

    def save_model(self, request: HttpRequest, obj: IdTag, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        tags_saved(tags=[obj])

    def delete_model(self, request: HttpRequest, obj: IdTag) -> None:
        with transaction.atomic():
            super().delete_model(request, obj)
            tags_saved(tags=[obj])

    # Actions

    @admin.action(description="Block", permissions=["change"])
    def block(self, request: HttpRequest, queryset: QuerySet[IdTag]) -> None:
        self._set_status(request, queryset, IdTagStatus.BLOCKED)

    @admin.action(description="Unblock (accept)", permissions=["change"])
    def unblock(self, request: HttpRequest, queryset: QuerySet[IdTag]) -> None:
        self._set_status(request, queryset, IdTagStatus.ACCEPTED)

    @admin.action(description="Expire", permissions=["change"])
    def expire(self, request: HttpRequest, queryset: QuerySet[IdTag]) -> None:
        self._set_status(request, queryset, IdTagStatus.EXPIRED)

    def _set_status(self, request: HttpRequest, queryset: QuerySet[IdTag], status: IdTagStatus) -> None:
        tags = list(queryset)
        with transaction.atomic():
            count = set_id_tags_status(tag_ids=[tag.pk for tag in tags], status=status)
            self.log_changes(request, tags, f"Status: {status.value}.")
        self.message_user(request, f"{count} id tags: {status.value}.", messages.SUCCESS)

    # Import and export

    def has_import_permission(self, request: HttpRequest) -> bool:
        """Require both permissions: an import adds and changes."""
        return self.has_add_permission(request) and self.has_change_permission(request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)

    def get_import_formats(self) -> Sequence[type[Format]]:
        return (AnyTable,)

    def get_export_formats(self) -> Sequence[type[Format]]:
        return (GuardedCSV, TextXLSX)

    def add_data_read_fail_error_to_form(self, form: forms.Form, error: Exception) -> None:
        """Show the message of UnreadableTable without the name of the exception."""
        if isinstance(error, UnreadableTable):
            form.add_error("import_file", f"{error}.")
        else:
            super().add_data_read_fail_error_to_form(form, error)

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        try:
            return super().process_import(request, **kwargs)
        except FileNotFoundError:
            self.message_user(request, "Nothing was imported: the preview has expired.", messages.ERROR)
            return HttpResponseRedirect("../import/")

    def process_result(self, result: Result, request: HttpRequest) -> HttpResponse:
        """Lead back to the form where no row was stored; the base class reports success in any case."""
        if result.has_errors() or result.has_validation_errors():
            self.message_user(request, "Nothing was imported: look at the preview again.", messages.ERROR)
            return HttpResponseRedirect("../import/")
        return super().process_result(result, request)
