"""Who began a batch, and who did what the audit log says: by number; names may be as long as they can be."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import migrations, models

from pacer_dashboard.models.fields import Name
from pacer_dashboard.operations import VendorSQL

# SQLite knows no length, and Django would make its tables anew, without the triggers that keep the audit log.
_WIDER = 'ALTER TABLE pacer_dashboard_{table} ALTER COLUMN {column} TYPE varchar({length}) COLLATE "C"'


def _wider(model: str, column: str, **more: Any) -> migrations.SeparateDatabaseAndState:
    statements = [_WIDER.format(table=model, column=column, length=length) for length in (320, 255)]
    return migrations.SeparateDatabaseAndState(
        [VendorSQL("postgresql", statements[:1], statements[1:])],
        [migrations.AlterField(model, column, Name(max_length=320, **more))],
    )


def _number_batches(apps: Any, _: Any) -> None:
    """Find who began the batches that are there, as far as a name says it of one alone."""
    batches = apps.get_model("pacer_dashboard", "Batch").objects
    tokens = apps.get_model("pacer_dashboard", "Token").objects
    accounts = apps.get_model(settings.AUTH_USER_MODEL).objects
    for actor in [*batches.values_list("actor", flat=True).distinct()]:
        username, by_token, token = actor.partition(" (")  # an account's own name has neither sign
        shown: list[int | None] = [None]
        if by_token:
            named = tokens.filter(owner__username=username, name=token.removesuffix(")"))
            shown = [*named.values_list("pk", flat=True)]
        account = accounts.filter(username=username).first()
        if account is not None and len(shown) == 1:
            batches.filter(actor=actor).update(account=account.pk, token=shown[0])


class Migration(migrations.Migration):
    """Add the numbers."""

    dependencies = (
        ("pacer_dashboard", "0004_views"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    )
    operations = (
        *(
            migrations.AddField(model, column, models.BigIntegerField(null=True))
            for model in ("batch", "audit")
            for column in ("account", "token")
        ),
        # An index of its own, and not the column's: to undo that, Django would make SQLite's table anew, too.
        migrations.AddIndex("audit", models.Index(fields=["account", "id"], name="audit_account")),
        _wider("batch", "actor"),
        _wider("batch", "cancelled_by", default=""),
        _wider("audit", "actor", db_index=True),
        migrations.RunPython(_number_batches, migrations.RunPython.noop),
    )
