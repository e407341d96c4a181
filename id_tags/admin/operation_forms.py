"""Forms of the operations on local authorisation lists, offered on stations' pages."""

from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Q

from id_tags.models import IdTag, IdTagGroup
from id_tags.operations import DIFFERENTIAL, FULL, ReadLocalListVersion, SendLocalList
from id_tags.services.local_lists import request_local_list
from stations.admin.operation_forms import OperationForm, operation_form
from stations.models import Command, Station


@operation_form
class SendLocalListForm(OperationForm):
    operation, title, group, is_for_many = SendLocalList, "Send a local list", "Local list", False
    explanation = "The chosen tags become its whole list, in as many parts as the station needs."
    tags = forms.ChoiceField(
        label="Which tags",
        choices=[("all", "All tags"), ("groups", "The tags of groups"), ("none", "None: empty the list")],
    )
    groups = forms.ModelMultipleChoiceField(
        label="Groups", queryset=IdTagGroup.objects.order_by("parent_id_tag"), required=False
    )
    update_type = forms.ChoiceField(
        label="How", choices=[("", "As needed"), (FULL, "Full"), (DIFFERENTIAL, "Differential")], required=False
    )

    def request(self, *, station: Station, requested_by: str, now: datetime) -> Command:
        data = self.cleaned_data
        chosen = {"all": Q(), "groups": Q(group__in=data["groups"]), "none": Q(pk=None)}[data["tags"]]
        update = request_local_list(
            station_id=station.pk,
            tags=IdTag.objects.filter(chosen).select_related("group").order_by("id_tag_folded"),
            update_type=data["update_type"],
            origin=self.origin(requested_by, now),
        )
        assert update.command is not None
        return update.command

    def arguments(self) -> dict[str, Any]:
        raise TypeError("a local list is cut into operations by its service")


@operation_form
class ReadLocalListVersionForm(OperationForm):
    operation, title, group = ReadLocalListVersion, "Ask for the local list's version", "Local list"
