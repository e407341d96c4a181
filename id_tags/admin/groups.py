"""Groups of tags: OCPP's parentIdTag, with a limit of concurrent transactions."""

from django import forms
from django.contrib import admin
from django.db.models import Count, QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from evcharging.back_office.display import list_url
from evcharging.back_office.model_admins import BackOfficeAdmin
from id_tags.models import IdTagGroup, fold_id_tag
from id_tags.services.tags import tags_saved


class GroupForm(forms.ModelForm):
    class Meta:
        model = IdTagGroup
        fields = ("parent_id_tag", "max_active_transactions", "note")

    def clean_parent_id_tag(self) -> str:
        text = str(self.cleaned_data["parent_id_tag"])
        others = IdTagGroup.objects.exclude(pk=self.instance.pk)
        if others.filter(parent_id_tag_folded=fold_id_tag(text)).exists():
            raise forms.ValidationError("There is a group with this id already (its case does not matter).")
        return text


@admin.register(IdTagGroup)
class IdTagGroupAdmin(BackOfficeAdmin):
    form = GroupForm
    ordering = ("parent_id_tag_folded",)
    list_display = ("parent_id_tag", "members", "limit", "note")
    search_fields = ("parent_id_tag", "note")
    kept_by = ("id_tags",)
    instead_of_deleting = "Take its tags out first."

    def get_queryset(self, request: HttpRequest) -> QuerySet[IdTagGroup]:
        return super().get_queryset(request).annotate(members=Count("id_tags"))

    @display(description="Tags", ordering="members")
    def members(self, group: IdTagGroup) -> SafeString:
        url = list_url("id_tags.idtag", group__id__exact=group.pk)
        return format_html('<a class="bo-link" href="{}">{}</a>', url, getattr(group, "members", 0))

    @display(description="Limit", ordering="max_active_transactions")
    def limit(self, group: IdTagGroup) -> str:
        if group.max_active_transactions is None:
            return "each tag its own"
        return str(group.max_active_transactions or "none")

    def save_model(self, request: HttpRequest, obj: IdTagGroup, form: ModelForm, change: bool) -> None:
        super().save_model(request, obj, form, change)
        tags_saved(groups=[obj])
