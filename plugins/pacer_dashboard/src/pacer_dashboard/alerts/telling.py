"""Telling people: by mail, and by a webhook that Slack and Mattermost understand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from smtplib import SMTPRecipientsRefused

from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from pacer_core import PacerError, Secret, redact
from pacer_dashboard.models import AlertRule
from pacer_http import HttpClient

MAIL, WEBHOOK = "mail", "webhook"
_TIMEOUT = timedelta(seconds=10)
_ESCAPED = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "@\N{ZERO WIDTH SPACE}"}


def tell(rule: AlertRule, subject: str, text: str, *, already: Sequence[str] = ()) -> tuple[list[str], str]:
    """Tell those whom a rule names, but by what has told them already; give by what, and why not by all."""
    told: list[str] = []
    wrong: list[str] = []
    if MAIL in ways(rule) and MAIL not in already:
        try:
            refused = _mail(_addresses(rule), subject, text)
            told.append(MAIL)
            if refused:
                wrong.append(f"mail: the server takes none for {', '.join(refused)}")
        except (OSError, ValueError, PacerError) as error:  # SMTPException is an OSError
            wrong.append(f"mail: {redact(str(error) or type(error).__name__)}")
    if WEBHOOK in ways(rule) and WEBHOOK not in already:
        try:
            _post(rule.webhook, f"{subject}\n{text}")
            told.append(WEBHOOK)
        except (PacerError, ValueError) as error:
            wrong.append(redact(str(error)))
    if not ways(rule):
        wrong.append("the rule names neither an address nor a webhook: nobody is told")
    return told, "; ".join(wrong)


def ways(rule: AlertRule) -> set[str]:
    """Give by what a rule tells people."""
    return ({MAIL} if _addresses(rule) else set()) | ({WEBHOOK} if rule.webhook else set())


def _addresses(rule: AlertRule) -> list[str]:
    return [one.strip() for one in rule.mail.splitlines() if one.strip()]


def _mail(addresses: list[str], subject: str, text: str) -> list[str]:
    """Send mail to each address; give those that the server refuses, of which it says nothing otherwise."""
    if not settings.EMAIL_HOST:
        raise PacerError("EMAIL_HOST is not set: no server takes mail")
    one_line = " ".join(subject.split())[:200]
    refused: list[str] = []
    with get_connection(timeout=_TIMEOUT.total_seconds()) as connection:
        for one in addresses:
            try:
                EmailMessage(one_line, text, to=[one], connection=connection).send()
            except SMTPRecipientsRefused:
                refused.append(one)
    if refused == addresses:
        raise PacerError(f"the server takes none for {', '.join(refused)}")
    return refused


def _post(url: str, text: str) -> None:
    """Send what both understand: https://docs.slack.dev/messaging/formatting-message-text#escaping.

    The address is a secret: whoever knows it can write there. So it is hidden in errors as one.
    """
    Secret(url)
    with HttpClient("the webhook", url, timeout=_TIMEOUT, delays=()) as http:
        http.request("POST", "", json={"text": escaped(text)})


def escaped(text: str) -> str:
    """Give text in which nothing is a link, a mention or a command."""
    return "".join(_signs(text))


def _signs(text: str) -> Iterator[str]:
    for sign in text:
        yield _ESCAPED.get(sign, sign)
