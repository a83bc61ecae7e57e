"""The tables, and how those of an earlier version become them."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
)

metadata = MetaData()

job = Table(
    "pacifica_job",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(32), nullable=False),
    Column("task", String(64), nullable=False),
    Column("percent", Double, nullable=False),
    Column("complete", Boolean, nullable=False),
    Column("exception", Text, nullable=False),
    Column("waits_for", Text, nullable=False),
    Column("cancelled", Boolean, nullable=False),
    Column("user", Text, nullable=False),
    Column("name", String(255), nullable=False, unique=True),
    Column("size", BigInteger, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("sweeps", Integer, nullable=False),
    Column("published", Boolean, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created", DateTime, nullable=False),
    Column("updated", DateTime, nullable=False),
)
Index("pacifica_job_open", job.c.complete, job.c.published, job.c.updated)

stage = Table(
    "pacifica_stage",
    metadata,
    Column("job_id", ForeignKey(job.c.id, ondelete="CASCADE"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("task", String(64), primary_key=True),
    Column("percent", Double, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("started", DateTime, nullable=False),
    Column("ended", DateTime),
    Column("exception", Text, nullable=False),
)

kept = Table(
    "pacifica_kept",
    metadata,
    Column("job_id", ForeignKey(job.c.id, ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)

next_id = Table(
    "pacifica_next_id",
    metadata,
    Column("mode", String(32), primary_key=True),
    Column("next", BigInteger, nullable=False),
)

version = Table("pacifica_version", metadata, Column("version", Integer, nullable=False))

VERSION = 1
MIGRATIONS: dict[int, tuple[str, ...]] = {}
"""By the version that they lead to: statements that SQLite and PostgreSQL both know."""
