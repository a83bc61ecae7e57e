"""Django's admin pages for roles, accounts and tokens: for who administers, and each change is audited."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse

from pacer_dashboard.access.audited import note
from pacer_dashboard.access.grammar import (
    EVERY,
    GrammarError,
    identifiers_of,
    text_of_identifiers,
    text_of_types,
    types_of,
)
from pacer_dashboard.access.views import leave
from pacer_dashboard.models.access import Role, RoleGroup, RoleRule, SignedIn
from pacer_dashboard.models.tokens import Token


class Administration(admin.AdminSite):
    """The admin pages, with the login of all other pages, for who administers."""

    site_header = site_title = "PACER: roles and accounts"
    index_title = "Who may see and do what"

    def has_permission(self, request: HttpRequest) -> bool:
        """Tell whether who asks administers, now."""
        return request.user.is_authenticated and request.viewer.everything  # type: ignore[attr-defined] # middleware

    def login(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """Lead to the one login, which counts wrong passwords."""
        if request.user.is_authenticated and not self.has_permission(request):
            return HttpResponse(
                "You do not administer this dashboard.", status=403, content_type="text/plain"
            )
        return redirect(f"{reverse('login')}?{urlencode({'next': request.GET.get('next', '')})}")

    def logout(  # type: ignore[override] # the stubs know Django's own page alone
        self, request: HttpRequest, extra_context: Any = None
    ) -> HttpResponse:
        """Log out as everywhere else, at the sign-in service, too."""
        return leave(request)


site = Administration(name="admin")


class Audited:
    """Writes what Django's admin notes for itself into the audit log as well, which nobody can edit."""

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Note what was made."""
        note(request.user.get_username(), "add", obj, message)
        return super().log_addition(request, obj, message)  # type: ignore[misc] # of ModelAdmin

    def log_change(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        """Note what was changed: names of fields, no values."""
        note(request.user.get_username(), "change", obj, message)
        return super().log_change(request, obj, message)  # type: ignore[misc] # of ModelAdmin

    def log_deletions(self, request: HttpRequest, queryset: Any) -> Any:
        """Note what was deleted."""
        for obj in queryset:
            note(request.user.get_username(), "delete", obj, "")
        return super().log_deletions(request, queryset)  # type: ignore[misc] # of ModelAdmin


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none when it runs
    """A rule, with types and identifiers as lines of text."""

    types = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 30}),
        help_text=f"One a line; {EVERY} alone for every type. Empty gives nothing.",
    )
    identifiers = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "cols": 40}),
        help_text=f"key = value, value; each line has to hold. {EVERY} alone for any. Empty gives nothing.",
    )

    class Meta:
        model = RoleRule
        fields = ("types", "identifiers", "view", "act", "reingest", "personal")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial["types"] = text_of_types(self.instance.types or ())
        self.initial["identifiers"] = text_of_identifiers(self.instance.identifiers or {})

    def clean_types(self) -> list[str]:
        """Read the lines."""
        found: list[str] = self._read(types_of, "types")
        return found

    def clean_identifiers(self) -> dict[str, list[str]]:
        """Read the lines."""
        found: dict[str, list[str]] = self._read(identifiers_of, "identifiers")
        return found

    def _read(self, reader: Any, field: str) -> Any:
        try:
            return reader(self.cleaned_data[field])
        except GrammarError as wrong:
            raise forms.ValidationError(str(wrong)) from wrong


class Rules(admin.TabularInline):  # type: ignore[type-arg]  # it takes none when it runs
    """The rules of a role."""

    model = RoleRule
    form = RuleForm
    extra = 0


class Groups(admin.TabularInline):  # type: ignore[type-arg]  # it takes none when it runs
    """The groups of the sign-in service that have a role."""

    model = RoleGroup
    extra = 0


@admin.register(Role, site=site)
class Roles(Audited, admin.ModelAdmin):  # type: ignore[type-arg]  # it takes none when it runs
    """Roles, with rules, groups and accounts on one page."""

    list_display = ("name", "description", "administers")
    inlines = (Rules, Groups)
    filter_horizontal = ("users",)


@admin.register(User, site=site)
class Users(Audited, UserAdmin):  # type: ignore[type-arg]  # it takes none when it runs
    """Accounts: their names, passwords, and whether they are switched on."""

    list_display = ("username", "is_active", "is_superuser", "last_login")
    list_filter = ("is_active", "is_superuser")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("May", {"fields": ("is_active", "is_superuser")}),
        ("Times", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")
    filter_horizontal = ()


@admin.register(SignedIn, site=site)
class People(Audited, admin.ModelAdmin):  # type: ignore[type-arg]  # it takes none when it runs
    """Who an account is at the sign-in service, and the groups it had at its latest login; read only."""

    list_display = ("user", "issuer", "groups", "at")
    readonly_fields = ("user", "issuer", "subject", "groups", "at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """They come by signing in."""
        return False


@admin.register(Token, site=site)
class Tokens(Audited, admin.ModelAdmin):  # type: ignore[type-arg]  # it takes none when it runs
    """Tokens: they are made on the page of tokens or by the command, and withdrawn here as well."""

    list_display = ("name", "hint", "owner", "role", "expires", "last_used")
    list_filter = ("role",)
    readonly_fields = ("name", "hint", "owner", "role", "created", "expires", "last_used")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Their text is shown once, to who makes one."""
        return False
