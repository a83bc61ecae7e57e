"""Messages: their lives, the sights of each, their payloads, and the identifiers they are found by.

All rows of a life have its ``arrived``, ``correlation_id`` and ``troubled``. On PostgreSQL each table is
partitioned by them: by whether the life was ever in trouble, and within that by the month in which it
arrived. So a life is in one month of each table, which goes as a whole when its time is over, later where
there was trouble; and one that is looked up by its correlation id is found in one partition, which `Life`
knows.
"""

from __future__ import annotations

from django.db import models

from pacer_dashboard.models.fields import Name


class Life(models.Model):
    """Where the rows of a message are."""

    correlation_id = Name()
    arrived = models.DateTimeField()
    troubled = models.BooleanField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("correlation_id",), name="life_correlation_id"),)
        indexes = (models.Index(fields=("arrived",), name="life_arrived"),)


class Lineage(models.Model):
    """That a message was sent again as another one; written before that is published."""

    correlation_id = Name(primary_key=True)
    origin = Name()
    at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=("origin",), name="lineage_origin"),)


class Imported(models.Model):
    """How far the messages of another dashboard have been taken over."""

    source = Name(primary_key=True)
    last = models.BigIntegerField()


class Message(models.Model):
    """A message, with all its sights folded into one row.

    ``type``, ``consumer``, ``queue``, ``exchange`` and ``routing_key`` are those of its first stage.
    ``state`` is the worst of its stages' latest outcomes. ``text`` is what a search for identifiers and
    errors looks at, in lower case. ``revision`` is new with every change, and grows in the order of commits.
    """

    pk = models.CompositePrimaryKey("arrived", "correlation_id", "troubled")
    arrived = models.DateTimeField()
    correlation_id = Name()
    troubled = models.BooleanField()
    revision = models.BigIntegerField()
    type = Name()
    consumer = Name()
    queue = Name()
    exchange = Name()
    routing_key = Name()
    state = Name(max_length=8)
    finished = models.DateTimeField()
    attempts = models.IntegerField()
    sights = models.IntegerField()
    stages = models.JSONField()
    identifiers = models.JSONField()
    instrument = Name()
    proposal = Name()
    dataset = Name()
    group = models.BigIntegerField(null=True)
    kind = Name(max_length=32)
    task = Name()
    reason = models.TextField()
    failed_at = models.DateTimeField(null=True)
    origin = Name()
    text = models.TextField()
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = Name()
    acknowledged_note = models.TextField()

    class Meta:
        indexes = (
            models.Index(fields=("revision",), name="message_revision"),
            models.Index(fields=("type", "-arrived", "-correlation_id"), name="message_type"),
            models.Index(fields=("consumer", "-arrived", "-correlation_id"), name="message_consumer"),
            models.Index(fields=("exchange", "-arrived", "-correlation_id"), name="message_exchange"),
            models.Index(fields=("routing_key", "-arrived", "-correlation_id"), name="message_key"),
            models.Index(fields=("state", "-arrived", "-correlation_id"), name="message_state"),
            models.Index(
                fields=("group", "-arrived", "-correlation_id"),
                name="message_group",
                condition=models.Q(group__isnull=False),
            ),
            models.Index(
                fields=("-arrived", "-correlation_id"),
                name="message_acknowledged",
                condition=models.Q(acknowledged_at__isnull=False),
            ),
            models.Index(fields=("origin",), name="message_origin", condition=~models.Q(origin="")),
        )


class Sight(models.Model):
    """One delivery of a message, as its record says; never changed. ``id`` is the record's."""

    pk = models.CompositePrimaryKey("arrived", "correlation_id", "id", "troubled")
    arrived = models.DateTimeField()
    correlation_id = Name()
    id = Name()
    troubled = models.BooleanField()
    consumer = Name()
    type = Name()
    queue = Name()
    exchange = Name()
    routing_key = Name()
    outcome = Name(max_length=8)
    attempt = models.IntegerField()
    redelivered = models.BooleanField()
    first_seen = models.DateTimeField()
    started = models.DateTimeField()
    finished = models.DateTimeField()
    identifiers = models.JSONField()
    detail = models.JSONField()
    digest = Name(max_length=24)
    payload_size = models.BigIntegerField()
    content_type = Name()


class Payload(models.Model):
    """A body of a message; sights that had the same one share it, and name it by its digest."""

    pk = models.CompositePrimaryKey("arrived", "correlation_id", "digest", "troubled")
    arrived = models.DateTimeField()
    correlation_id = Name()
    digest = Name(max_length=24)
    troubled = models.BooleanField()
    body = models.TextField()


class Identifier(models.Model):
    """An identifier of a message: a search or a role for one key and value is a walk through its index."""

    pk = models.CompositePrimaryKey("key", "value", "arrived", "correlation_id", "troubled")
    key = Name(max_length=64)
    value = Name()
    arrived = models.DateTimeField()
    correlation_id = Name()
    troubled = models.BooleanField()
    message = models.ForeignObject(
        Message,
        on_delete=models.DO_NOTHING,
        from_fields=("arrived", "correlation_id", "troubled"),
        to_fields=("arrived", "correlation_id", "troubled"),
        related_name="postings",
    )

    class Meta:
        indexes = (models.Index(fields=("arrived", "correlation_id"), name="identifier_life"),)
