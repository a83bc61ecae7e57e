"""Messages sent again, the audit log, checks of investigations, alerts, and PACERs that are watched."""

from __future__ import annotations

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

import pacer_dashboard.models.fields
from pacer_dashboard.operations import VendorSQL

_POSTGRESQL = (
    """CREATE FUNCTION pacer_dashboard_audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'TRUNCATE' AND NOT EXISTS (SELECT FROM pacer_dashboard_audit) THEN RETURN NULL; END IF;
        RAISE EXCEPTION 'the audit log is only added to'; END $$""",
    "CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON pacer_dashboard_audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION pacer_dashboard_audit_kept()",
)
_POSTGRESQL_BACK = ("DROP FUNCTION pacer_dashboard_audit_kept() CASCADE",)
# REPLACE INTO deletes without a DELETE trigger, where recursive triggers are off, as they are by default:
# https://www.sqlite.org/lang_conflict.html
_SQLITE = (
    "CREATE TRIGGER audit_not_changed BEFORE UPDATE ON pacer_dashboard_audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_not_deleted BEFORE DELETE ON pacer_dashboard_audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
    "CREATE TRIGGER audit_not_replaced BEFORE INSERT ON pacer_dashboard_audit "
    "WHEN EXISTS (SELECT 1 FROM pacer_dashboard_audit WHERE id = new.id) "
    "BEGIN SELECT RAISE(ABORT, 'the audit log is only added to'); END",
)
_SQLITE_BACK = tuple(f"DROP TRIGGER audit_not_{one}" for one in ("changed", "deleted", "replaced"))


class Migration(migrations.Migration):
    dependencies = [("pacer_dashboard", "0002_access")]

    operations = [
        migrations.CreateModel(
            name="AlertRule",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", pacer_dashboard.models.fields.Name(max_length=255, unique=True)),
                (
                    "kind",
                    pacer_dashboard.models.fields.Name(
                        choices=[
                            ("error-rate", "Error Rate"),
                            ("silence", "Silence"),
                            ("dead", "Dead"),
                            ("check-overdue", "Check Overdue"),
                        ],
                        max_length=16,
                    ),
                ),
                ("type", pacer_dashboard.models.fields.Name(blank=True, default="", max_length=255)),
                ("match", models.TextField(blank=True, default="")),
                ("window_minutes", models.IntegerField(default=60)),
                ("raise_at", models.FloatField(default=0)),
                ("clear_at", models.FloatField(default=0)),
                ("for_minutes", models.IntegerField(default=0)),
                ("repeat_hours", models.IntegerField(default=24)),
                ("mail", models.TextField(blank=True, default="")),
                ("webhook", models.TextField(blank=True, default="")),
                ("enabled", models.BooleanField(default=True)),
                ("raised_at", models.DateTimeField(null=True)),
                ("above_since", models.DateTimeField(null=True)),
                ("told_at", models.DateTimeField(null=True)),
                ("value", models.FloatField(null=True)),
                ("looked_at", models.DateTimeField(null=True)),
                ("trouble", models.TextField(blank=True, default="")),
            ],
        ),
        migrations.CreateModel(
            name="Audit",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), db_index=True),
                ),
                ("actor", pacer_dashboard.models.fields.Name(db_index=True, max_length=255)),
                ("action", pacer_dashboard.models.fields.Name(db_index=True, max_length=64)),
                ("subject", models.TextField(default="")),
                ("note", models.TextField(default="")),
                ("count", models.BigIntegerField(default=1)),
                ("detail", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="CheckRun",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_index=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("looked", models.IntegerField(default=0)),
                ("lacking", models.IntegerField(default=0)),
                ("unknown", models.IntegerField(default=0)),
                ("sent", models.IntegerField(default=0)),
                ("failed", models.IntegerField(default=0)),
                ("trouble", models.TextField(default="")),
            ],
        ),
        migrations.CreateModel(
            name="Watched",
            fields=[
                (
                    "url",
                    pacer_dashboard.models.fields.Name(max_length=500, primary_key=True, serialize=False),
                ),
                ("asked_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("silent_since", models.DateTimeField(null=True)),
                ("why", models.TextField(default="")),
                ("said", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="AlertEvent",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField(db_index=True)),
                ("what", pacer_dashboard.models.fields.Name(max_length=8)),
                ("value", models.FloatField(null=True)),
                ("text", models.TextField()),
                ("told", models.JSONField(default=list)),
                ("trouble", models.TextField(default="")),
                (
                    "rule",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="events",
                        to="pacer_dashboard.alertrule",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Batch",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("request", pacer_dashboard.models.fields.Name(max_length=64, unique=True)),
                ("at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("actor", pacer_dashboard.models.fields.Name(max_length=255)),
                ("reason", models.TextField()),
                ("query", models.TextField(default="")),
                (
                    "target",
                    pacer_dashboard.models.fields.Name(
                        choices=[("original", "Original"), ("queue", "Queue"), ("route", "Route")],
                        max_length=8,
                    ),
                ),
                ("exchange", pacer_dashboard.models.fields.Name(default="", max_length=255)),
                ("routing_key", pacer_dashboard.models.fields.Name(default="", max_length=255)),
                ("rate", models.FloatField()),
                ("dry_run", models.BooleanField()),
                ("edited", models.BooleanField(default=False)),
                ("total", models.IntegerField(default=0)),
                (
                    "state",
                    pacer_dashboard.models.fields.Name(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("trouble", models.TextField(default="")),
                ("cancelled_by", pacer_dashboard.models.fields.Name(default="", max_length=255)),
                ("finished_at", models.DateTimeField(null=True)),
                ("holder", pacer_dashboard.models.fields.Name(default="", max_length=64)),
                ("held_until", models.DateTimeField(null=True)),
            ],
            options={
                "indexes": [models.Index(fields=["state"], name="batch_state")],
            },
        ),
        migrations.CreateModel(
            name="InvestigationCheck",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("investigation", pacer_dashboard.models.fields.Name(max_length=255)),
                ("visit_id", pacer_dashboard.models.fields.Name(max_length=255)),
                ("ended", models.DateTimeField()),
                (
                    "doi",
                    pacer_dashboard.models.fields.Name(
                        choices=[("present", "Present"), ("missing", "Missing"), ("unknown", "Unknown")],
                        default="unknown",
                        max_length=8,
                    ),
                ),
                (
                    "panosc",
                    pacer_dashboard.models.fields.Name(
                        choices=[("present", "Present"), ("missing", "Missing"), ("unknown", "Unknown")],
                        default="unknown",
                        max_length=8,
                    ),
                ),
                ("first_check", models.DateTimeField()),
                ("last_check", models.DateTimeField()),
                ("checks", models.IntegerField(default=0)),
                ("sent", models.IntegerField(default=0)),
                ("note", models.TextField(default="")),
                ("settled", models.BooleanField(db_index=True, default=False)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("investigation", "visit_id"), name="check_investigation")
                ],
            },
        ),
        migrations.CreateModel(
            name="InvestigationLook",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("doi", pacer_dashboard.models.fields.Name(max_length=8)),
                ("panosc", pacer_dashboard.models.fields.Name(max_length=8)),
                ("operations", models.JSONField(default=list)),
                ("sent_as", pacer_dashboard.models.fields.Name(default="", max_length=64)),
                ("note", models.TextField(default="")),
                (
                    "check_of",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="looks",
                        to="pacer_dashboard.investigationcheck",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Item",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("origin", pacer_dashboard.models.fields.Name(max_length=255)),
                ("sent_as", pacer_dashboard.models.fields.Name(max_length=64, unique=True)),
                ("exchange", pacer_dashboard.models.fields.Name(max_length=255)),
                ("routing_key", pacer_dashboard.models.fields.Name(max_length=255)),
                (
                    "state",
                    pacer_dashboard.models.fields.Name(
                        choices=[
                            ("waiting", "Waiting"),
                            ("sending", "Sending"),
                            ("sent", "Sent"),
                            ("failed", "Failed"),
                            ("would", "Would"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("reason", models.TextField(default="")),
                ("at", models.DateTimeField(null=True)),
                ("sent_before", models.IntegerField(default=0)),
                ("body", models.TextField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="pacer_dashboard.batch",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["batch", "state", "id"], name="item_state"),
                    models.Index(fields=["origin"], name="item_origin"),
                ],
            },
        ),
        VendorSQL("postgresql", _POSTGRESQL, _POSTGRESQL_BACK),
        VendorSQL("sqlite", _SQLITE, _SQLITE_BACK),
    ]
