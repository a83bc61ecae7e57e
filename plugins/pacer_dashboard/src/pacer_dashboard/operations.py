"""Operations of our migrations that Django has none of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import migrations

from pacer_dashboard.partitions import HALVES, half_name, part_name


class CreatePartitioned(migrations.CreateModel):
    """Create a table; on PostgreSQL with a half for lives in trouble and one for the others, by month."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Create it, with its halves and their rests; months are made by `upkeep`."""
        if schema_editor.connection.vendor != "postgresql":
            super().database_forwards(app_label, schema_editor, from_state, to_state)
            return
        model = to_state.apps.get_model(app_label, self.name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        statement, parameters = schema_editor.table_sql(model)
        schema_editor.execute(f"{statement} PARTITION BY LIST (troubled)", parameters or None)
        table = model._meta.db_table
        for half, troubled in HALVES.items():
            name = half_name(table, half)
            schema_editor.execute(
                f'CREATE TABLE "{name}" PARTITION OF "{table}" FOR VALUES IN ({str(troubled).lower()}) '
                "PARTITION BY RANGE (arrived)"
            )
            schema_editor.execute(
                f'CREATE TABLE "{part_name(table, half, None)}" PARTITION OF "{name}" DEFAULT'
            )
        for index in model._meta.indexes:
            schema_editor.add_index(model, index)


class VendorSQL(migrations.RunSQL):
    """Run statements on one kind of database alone."""

    def __init__(self, vendor: str, sql: Sequence[str], reverse_sql: Sequence[str] = ()) -> None:
        super().__init__(list(sql), list(reverse_sql))
        self.vendor = vendor

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """Give how the operation is written in a migration."""
        return type(self).__name__, [self.vendor, self.sql, self.reverse_sql], {}

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Run them, where the database is of that kind."""
        if schema_editor.connection.vendor == self.vendor:
            super().database_forwards(app_label, schema_editor, from_state, to_state)

    def database_backwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Undo them, where the database is of that kind."""
        if schema_editor.connection.vendor == self.vendor:
            super().database_backwards(app_label, schema_editor, from_state, to_state)
