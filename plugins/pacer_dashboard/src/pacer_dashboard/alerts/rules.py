"""Rules of alerts: checked, saved, tried out and deleted, for the pages and for the API."""

from __future__ import annotations

from django import forms
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext

from pacer_dashboard.again.audit import note
from pacer_dashboard.alerts import watch
from pacer_dashboard.models import AlertRule
from pacer_dashboard.query import NotVisible, Viewer
from pacer_http import is_url

FIELDS = (
    "name", "kind", "type", "match", "window_minutes", "raise_at", "clear_at", "for_minutes", "repeat_hours",
    "mail", "webhook", "enabled",
)  # fmt: skip
_WATCHES = {"kind", "type", "match"}
_YEAR = 366 * 24
_LIMITS = {"window_minutes": (1, _YEAR * 60), "for_minutes": (0, _YEAR * 60), "repeat_hours": (1, _YEAR)}


class RuleForm(forms.ModelForm):  # type: ignore[type-arg]  # it takes none when it runs
    """A rule, as a person writes it."""

    class Meta:
        model = AlertRule
        fields = FIELDS

    def clean_mail(self) -> str:
        """Give the addresses, one a line."""
        addresses = [one.strip() for one in str(self.cleaned_data["mail"]).splitlines() if one.strip()]
        for one in addresses:
            validate_email(one)
        return "\n".join(addresses)

    def clean_webhook(self) -> str:
        """Give the address, where it is one."""
        url = str(self.cleaned_data["webhook"]).strip()
        if url:
            try:
                is_url(None, None, url)
            except ValueError as error:
                raise forms.ValidationError(str(error)) from None
        return url

    def clean(self) -> dict[str, object]:
        """Refuse limits in the wrong order, and times that are none."""
        data = super().clean() or {}
        raised, cleared = data.get("raise_at"), data.get("clear_at")
        if raised is not None and cleared is not None and cleared > raised:
            self.add_error("clear_at", gettext("It has to be the limit above, or lower."))
        for name, (least, most) in _LIMITS.items():
            if (value := data.get(name)) is not None and not least <= value <= most:
                said = gettext("It has to be from {least} to {most}.").format(least=least, most=most)
                self.add_error(name, said)
        return data


def rule_of(viewer: Viewer, id_: int) -> AlertRule:
    """Give a rule to who sees everything: it tells of messages that others must not see.

    Raises
    ------
    NotVisible
        Where it is not there, or not his to see.
    """
    rule = AlertRule.objects.filter(id=id_).first() if viewer.everything else None
    if rule is None:
        raise NotVisible(f"rule {id_}")
    return rule


def save(viewer: Viewer, form: RuleForm) -> AlertRule:
    """Save a form that is valid; what has changed is written down, and no value.

    A rule that watches something else from now on stands as a new one: what was raised is not what is over.
    """
    new = form.instance.pk is None
    if _WATCHES.intersection(form.changed_data):
        form.instance.above_since = form.instance.raised_at = form.instance.told_at = None
    with transaction.atomic():
        saved: AlertRule = form.save()
        note(viewer, "alert-new" if new else "alert-change", f"alert {saved.name}", fields=form.changed_data)
    return saved


def try_out(viewer: Viewer, rule: AlertRule) -> tuple[list[str], str]:
    """Tell people that the rule can; give by what they were told, and why not by all."""
    told, trouble = watch.test(rule)
    note(viewer, "alert-test", f"alert {rule.name}", told=told)
    return told, trouble


def delete(viewer: Viewer, rule: AlertRule) -> None:
    """Delete a rule, with what it told."""
    with transaction.atomic():
        note(viewer, "alert-delete", f"alert {rule.name}")
        rule.delete()
