"""API tokens in the back office: made (shown once), listed, revoked."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.safestring import SafeString
from unfold.decorators import action, display
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from evcharging.api.models import ApiToken, IdempotencyKey, Scope
from evcharging.api.services import create_api_token, revoke_api_token
from evcharging.back_office.confirmation import confirm
from evcharging.back_office.display import BAD, GOOD, UNSURE, ago, badge, when
from evcharging.back_office.model_admins import BackOfficeAdmin, ReadOnlyAdmin
from evcharging.back_office.pages import admin_page


class TokenForm(forms.ModelForm):
    scopes = forms.MultipleChoiceField(
        choices=Scope.choices,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Each by itself: none holds another.",
    )

    class Meta:
        model = ApiToken
        fields = ("name", "scopes", "expires_at")


@admin.register(ApiToken)
class ApiTokenAdmin(BackOfficeAdmin):
    form = TokenForm
    ordering = ("name",)
    list_display = ("name", "begins", "scope_words", "state", "last_used", "expires", "created_by", "created")
    search_fields = ("name",)
    actions_detail = ("revoke",)
    fields = ("name", "scopes", "expires_at", "start", "created_by", "created_at", "last_used_at", "revoked_at")

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> tuple[str, ...]:
        return ("name", "scopes", "expires_at") if obj is None else self.fields

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Nothing of a token is changed: what it may do is what its holder was told."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """A name that acted stays."""
        return False

    def has_revoke_permission(self, request: HttpRequest, object_id: str | None = None) -> bool:
        return bool(request.user.has_perm("api.change_apitoken"))

    @display(description="Begins with")
    def begins(self, token: ApiToken) -> str:
        return f"{token.start}…"

    @display(description="Scopes")
    def scope_words(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    @display(description="State")
    def state(self, token: ApiToken) -> SafeString:
        if token.revoked_at is not None:
            return badge("Revoked", BAD)
        if not token.is_valid(timezone.now()):
            return badge("Expired", UNSURE)
        return badge("Valid", GOOD)

    @display(description="Last used", ordering="last_used_at")
    def last_used(self, token: ApiToken) -> SafeString:
        return ago(token.last_used_at)

    @display(description="Expires", ordering="expires_at")
    def expires(self, token: ApiToken) -> SafeString:
        return when(token.expires_at)

    @display(description="Created", ordering="created_at")
    def created(self, token: ApiToken) -> SafeString:
        return when(token.created_at)

    # Making one

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"scopes": [Scope.READ], "expires_at": timezone.now().replace(microsecond=0) + timedelta(days=365)}

    def save_model(self, request: HttpRequest, obj: ApiToken, form: forms.ModelForm, change: bool) -> None:
        said = form.cleaned_data
        stored, text = create_api_token(
            name=said["name"],
            scopes=said["scopes"],
            created_by=request.user.get_username(),
            expires_at=said["expires_at"],
            now=timezone.now(),
        )
        obj.__dict__.update(stored.__dict__)
        obj.shown_once = text  # type: ignore[attr-defined]

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """Show the token: this answer is the only place where it ever stands."""
        token = obj.shown_once  # type: ignore[attr-defined]
        title = f"Token of {obj.name}"
        return admin_page(request, self, "admin/api/token.html", title=title, token=token, back_url="../")

    # Ending one

    @action(description="Revoke", icon="key_off", url_path="revoke", permissions=["revoke"])
    def revoke(self, request: HttpRequest, object_id: str) -> HttpResponse:
        token = get_object_or_404(ApiToken, pk=object_id)

        def act() -> None:
            with transaction.atomic():
                if revoke_api_token(token_id=token.pk, now=timezone.now()):
                    self.log_changes(request, [token], "Revoked.")
            self.message_user(request, f"The token {token.name} opens nothing any more.", messages.SUCCESS)

        return confirm(
            request,
            self,
            act=act,
            obj=token,
            title=f"Revoke the token {token.name}?",
            explanation="Whoever uses it is refused from now on. It cannot be made valid again.",
            submit="Revoke",
            is_dangerous=True,
        )


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    """Which POSTs were answered within the last day."""

    ordering = ("-created_at", "-pk")
    list_display = ("key", "owner", "status", "created_at")
    search_fields = ("key", "owner")
    fields = ("owner", "key", "status", "created_at", "claimed_at")
