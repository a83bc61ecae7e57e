"""Messages and what is counted of them."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

import pacer_dashboard.models.fields
from pacer_dashboard.operations import CreatePartitioned, VendorSQL

_TRIGRAMS = (
    "CREATE EXTENSION IF NOT EXISTS pg_trgm",
    'CREATE INDEX message_text ON pacer_dashboard_message USING gin ("text" gin_trgm_ops)',
    # Without punctuation, which PostgreSQL would read as parts of numbers, paths and hosts.
    "CREATE INDEX payload_words ON pacer_dashboard_payload USING gin (to_tsvector('simple', "
    "translate(left(body, 65536), '-_/.:,;@=+*#~&?!|', '                 ')))",
)
# FTS5 keeps a copy of what it finds; rows are those of the lives, whose number no VACUUM changes.
_FTS = (
    "CREATE VIRTUAL TABLE pacer_dashboard_text USING fts5(text, tokenize='trigram')",
    "CREATE VIRTUAL TABLE pacer_dashboard_words USING fts5(body, tokenize='unicode61')",
    """CREATE TRIGGER pacer_dashboard_text_in AFTER INSERT ON pacer_dashboard_message BEGIN
        INSERT OR REPLACE INTO pacer_dashboard_text (rowid, text)
        SELECT id, new.text FROM pacer_dashboard_life WHERE correlation_id = new.correlation_id; END""",
    """CREATE TRIGGER pacer_dashboard_words_in AFTER INSERT ON pacer_dashboard_payload BEGIN
        INSERT OR REPLACE INTO pacer_dashboard_words (rowid, body)
        SELECT id, substr(new.body, 1, 65536) || ' ' || coalesce(
            (SELECT body FROM pacer_dashboard_words WHERE rowid = pacer_dashboard_life.id), '')
        FROM pacer_dashboard_life WHERE correlation_id = new.correlation_id; END""",
    """CREATE TRIGGER pacer_dashboard_words_out AFTER DELETE ON pacer_dashboard_payload BEGIN
        DELETE FROM pacer_dashboard_words WHERE rowid =
            (SELECT id FROM pacer_dashboard_life WHERE correlation_id = old.correlation_id); END""",
    """CREATE TRIGGER pacer_dashboard_life_out AFTER DELETE ON pacer_dashboard_life BEGIN
        DELETE FROM pacer_dashboard_text WHERE rowid = old.id;
        DELETE FROM pacer_dashboard_words WHERE rowid = old.id; END""",
)


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Clock",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("revision", models.BigIntegerField()),
            ],
        ),
        CreatePartitioned(
            name="Payload",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "arrived",
                        "correlation_id",
                        "digest",
                        "troubled",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("arrived", models.DateTimeField()),
                ("correlation_id", pacer_dashboard.models.fields.Name(max_length=255)),
                ("digest", pacer_dashboard.models.fields.Name(max_length=24)),
                ("troubled", models.BooleanField()),
                ("body", models.TextField()),
            ],
        ),
        migrations.CreateModel(
            name="Rollup",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "step",
                        "bucket",
                        "type",
                        "consumer",
                        "instrument",
                        "task",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "step",
                    pacer_dashboard.models.fields.Name(
                        choices=[("h", "Hour"), ("d", "Day"), ("m", "Month")], max_length=1
                    ),
                ),
                ("bucket", models.DateTimeField()),
                ("type", pacer_dashboard.models.fields.Name(max_length=255)),
                ("consumer", pacer_dashboard.models.fields.Name(max_length=255)),
                ("instrument", pacer_dashboard.models.fields.Name(max_length=255)),
                ("task", pacer_dashboard.models.fields.Name(max_length=255)),
                ("messages", models.BigIntegerField(default=0)),
                ("acked", models.BigIntegerField(default=0)),
                ("retried", models.BigIntegerField(default=0)),
                ("dead", models.BigIntegerField(default=0)),
                ("processing", models.JSONField(default=dict)),
                ("queueing", models.JSONField(default=dict)),
            ],
        ),
        CreatePartitioned(
            name="Sight",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "arrived",
                        "correlation_id",
                        "id",
                        "troubled",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("arrived", models.DateTimeField()),
                ("correlation_id", pacer_dashboard.models.fields.Name(max_length=255)),
                ("id", pacer_dashboard.models.fields.Name(max_length=255)),
                ("troubled", models.BooleanField()),
                ("consumer", pacer_dashboard.models.fields.Name(max_length=255)),
                ("type", pacer_dashboard.models.fields.Name(max_length=255)),
                ("queue", pacer_dashboard.models.fields.Name(max_length=255)),
                ("exchange", pacer_dashboard.models.fields.Name(max_length=255)),
                ("routing_key", pacer_dashboard.models.fields.Name(max_length=255)),
                ("outcome", pacer_dashboard.models.fields.Name(max_length=8)),
                ("attempt", models.IntegerField()),
                ("redelivered", models.BooleanField()),
                ("first_seen", models.DateTimeField()),
                ("started", models.DateTimeField()),
                ("finished", models.DateTimeField()),
                ("identifiers", models.JSONField()),
                ("detail", models.JSONField()),
                ("digest", pacer_dashboard.models.fields.Name(max_length=24)),
                ("payload_size", models.BigIntegerField()),
                ("content_type", pacer_dashboard.models.fields.Name(max_length=255)),
            ],
        ),
        migrations.CreateModel(
            name="ErrorGroup",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("fingerprint", pacer_dashboard.models.fields.Name(max_length=32)),
                ("version", models.IntegerField()),
                ("task", pacer_dashboard.models.fields.Name(max_length=255)),
                ("kind", pacer_dashboard.models.fields.Name(max_length=32)),
                ("title", models.TextField()),
                ("first_seen", models.DateTimeField()),
                ("last_seen", models.DateTimeField(db_index=True)),
                ("count", models.BigIntegerField()),
                (
                    "status",
                    pacer_dashboard.models.fields.Name(
                        choices=[("open", "Open"), ("resolved", "Resolved"), ("ignored", "Ignored")],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("status_at", models.DateTimeField(null=True)),
                ("status_by", pacer_dashboard.models.fields.Name(default="", max_length=255)),
                ("status_note", models.TextField(default="")),
                ("regressed_at", models.DateTimeField(null=True)),
                ("revision", models.BigIntegerField(default=0)),
                (
                    "merged_into",
                    models.ForeignKey(
                        db_constraint=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="merged",
                        to="pacer_dashboard.errorgroup",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ErrorDay",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "group", "day", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("count", models.BigIntegerField()),
                (
                    "group",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="days",
                        to="pacer_dashboard.errorgroup",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Imported",
            fields=[
                (
                    "source",
                    pacer_dashboard.models.fields.Name(max_length=255, primary_key=True, serialize=False),
                ),
                ("last", models.BigIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name="Life",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("correlation_id", pacer_dashboard.models.fields.Name(max_length=255)),
                ("arrived", models.DateTimeField()),
                ("troubled", models.BooleanField()),
            ],
            options={
                "indexes": [models.Index(fields=["arrived"], name="life_arrived")],
                "constraints": [
                    models.UniqueConstraint(fields=("correlation_id",), name="life_correlation_id")
                ],
            },
        ),
        migrations.CreateModel(
            name="Lineage",
            fields=[
                (
                    "correlation_id",
                    pacer_dashboard.models.fields.Name(max_length=255, primary_key=True, serialize=False),
                ),
                ("origin", pacer_dashboard.models.fields.Name(max_length=255)),
                ("at", models.DateTimeField()),
            ],
            options={
                "indexes": [models.Index(fields=["origin"], name="lineage_origin")],
            },
        ),
        CreatePartitioned(
            name="Message",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "arrived",
                        "correlation_id",
                        "troubled",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("arrived", models.DateTimeField()),
                ("correlation_id", pacer_dashboard.models.fields.Name(max_length=255)),
                ("troubled", models.BooleanField()),
                ("revision", models.BigIntegerField()),
                ("type", pacer_dashboard.models.fields.Name(max_length=255)),
                ("consumer", pacer_dashboard.models.fields.Name(max_length=255)),
                ("queue", pacer_dashboard.models.fields.Name(max_length=255)),
                ("exchange", pacer_dashboard.models.fields.Name(max_length=255)),
                ("routing_key", pacer_dashboard.models.fields.Name(max_length=255)),
                ("state", pacer_dashboard.models.fields.Name(max_length=8)),
                ("finished", models.DateTimeField()),
                ("attempts", models.IntegerField()),
                ("sights", models.IntegerField()),
                ("stages", models.JSONField()),
                ("identifiers", models.JSONField()),
                ("instrument", pacer_dashboard.models.fields.Name(max_length=255)),
                ("proposal", pacer_dashboard.models.fields.Name(max_length=255)),
                ("dataset", pacer_dashboard.models.fields.Name(max_length=255)),
                ("group", models.BigIntegerField(null=True)),
                ("kind", pacer_dashboard.models.fields.Name(max_length=32)),
                ("task", pacer_dashboard.models.fields.Name(max_length=255)),
                ("reason", models.TextField()),
                ("failed_at", models.DateTimeField(null=True)),
                ("origin", pacer_dashboard.models.fields.Name(max_length=255)),
                ("text", models.TextField()),
                ("acknowledged_at", models.DateTimeField(null=True)),
                ("acknowledged_by", pacer_dashboard.models.fields.Name(max_length=255)),
                ("acknowledged_note", models.TextField()),
            ],
            options={
                "indexes": [
                    models.Index(fields=["revision"], name="message_revision"),
                    models.Index(fields=["type", "-arrived", "-correlation_id"], name="message_type"),
                    models.Index(fields=["consumer", "-arrived", "-correlation_id"], name="message_consumer"),
                    models.Index(fields=["exchange", "-arrived", "-correlation_id"], name="message_exchange"),
                    models.Index(fields=["routing_key", "-arrived", "-correlation_id"], name="message_key"),
                    models.Index(fields=["state", "-arrived", "-correlation_id"], name="message_state"),
                    models.Index(
                        condition=models.Q(("group__isnull", False)),
                        fields=["group", "-arrived", "-correlation_id"],
                        name="message_group",
                    ),
                    models.Index(
                        condition=models.Q(("acknowledged_at__isnull", False)),
                        fields=["-arrived", "-correlation_id"],
                        name="message_acknowledged",
                    ),
                    models.Index(
                        condition=models.Q(("origin", ""), _negated=True),
                        fields=["origin"],
                        name="message_origin",
                    ),
                ],
            },
        ),
        CreatePartitioned(
            name="Identifier",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "key",
                        "value",
                        "arrived",
                        "correlation_id",
                        "troubled",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("key", pacer_dashboard.models.fields.Name(max_length=64)),
                ("value", pacer_dashboard.models.fields.Name(max_length=255)),
                ("arrived", models.DateTimeField()),
                ("correlation_id", pacer_dashboard.models.fields.Name(max_length=255)),
                ("troubled", models.BooleanField()),
                (
                    "message",
                    models.ForeignObject(
                        from_fields=("arrived", "correlation_id", "troubled"),
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="postings",
                        to="pacer_dashboard.message",
                        to_fields=("arrived", "correlation_id", "troubled"),
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="errorgroup",
            constraint=models.UniqueConstraint(fields=("fingerprint",), name="errorgroup_fingerprint"),
        ),
        migrations.AddIndex(
            model_name="identifier",
            index=models.Index(fields=["arrived", "correlation_id"], name="identifier_life"),
        ),
        VendorSQL("postgresql", _TRIGRAMS),
        VendorSQL("sqlite", _FTS),
        migrations.RunSQL(
            "INSERT INTO pacer_dashboard_clock (id, revision) VALUES (1, 0)", migrations.RunSQL.noop
        ),
    ]
