"""The triggers that icat.server ships for its database, and that a site installs or not.

They keep ``fileCount`` and ``fileSize`` of datasets and investigations by adding to what is there: a count
that a client sends with a new dataset is added to, and one that it writes later is taken as it is. Without
them the columns hold whatever clients have sent.

Source: ``create_triggers_mysql_5_0.sql`` of icat.server 6.
"""

import sqlite3

_NAMES = (
    "counts_on_datafile_insert",
    "counts_on_datafile_delete",
    "counts_on_datafile_move",
    "counts_on_datafile_size",
    "counts_on_dataset_move",
    "counts_on_dataset_delete",
)


def _add(entity: str, where: str, count: str, size: str) -> str:
    return (
        f'UPDATE "{entity}" SET "fileCount" = IFNULL("fileCount", 0) + ({count}), '  # noqa: S608 - our own words
        f'"fileSize" = IFNULL("fileSize", 0) + ({size}) WHERE id = {where};'
    )


def _file(row: str, sign: str, count: str = "1", size: str = "") -> str:
    size = size or f'{sign}IFNULL({row}."fileSize", 0)'
    owner = f'{row}."dataset"'
    above = f'(SELECT "investigation" FROM "Dataset" WHERE id = {owner})'  # noqa: S608 - our own words
    return _add("Dataset", owner, f"{sign}{count}", size) + _add(
        "Investigation", above, f"{sign}{count}", size
    )


def _dataset(row: str, sign: str) -> str:
    count, size = (f'{sign}IFNULL({row}."{name}", 0)' for name in ("fileCount", "fileSize"))
    return _add("Investigation", f'{row}."investigation"', count, size)


_WHAT = (
    f'INSERT ON "Datafile" BEGIN {_file("NEW", "")} END',
    f'DELETE ON "Datafile" BEGIN {_file("OLD", "-")} END',
    'UPDATE OF "dataset" ON "Datafile" WHEN NEW."dataset" <> OLD."dataset" BEGIN '
    + _file("OLD", "-")
    + _file("NEW", "")
    + " END",
    'UPDATE OF "fileSize" ON "Datafile" WHEN NEW."dataset" = OLD."dataset" BEGIN '
    + _file("NEW", "", "0", 'IFNULL(NEW."fileSize", 0) - IFNULL(OLD."fileSize", 0)')
    + " END",
    'UPDATE OF "investigation" ON "Dataset" WHEN NEW."investigation" <> OLD."investigation" BEGIN '
    + _dataset("OLD", "-")
    + _dataset("NEW", "")
    + " END",
    f'DELETE ON "Dataset" BEGIN {_dataset("OLD", "-")} END',
)


def install(connection: sqlite3.Connection) -> None:
    """Have the database keep the counts from now on, and set those of what is there."""
    remove(connection)
    for name, what in zip(_NAMES, _WHAT, strict=True):
        connection.execute(f"CREATE TRIGGER {name} AFTER {what}")
    for entity, below in (("Dataset", 'WHERE f."dataset" = "Dataset".id'), ("Investigation", _BELOW)):
        connection.execute(
            f'UPDATE "{entity}" SET ("fileCount", "fileSize") = '  # noqa: S608 - our own words
            f'(SELECT COUNT(*), IFNULL(SUM(f."fileSize"), 0) FROM "Datafile" f {below})'
        )


_BELOW = 'JOIN "Dataset" d ON d.id = f."dataset" WHERE d."investigation" = "Investigation".id'


def remove(connection: sqlite3.Connection) -> None:
    """Leave the counts to the clients from now on."""
    for name in _NAMES:
        connection.execute(f"DROP TRIGGER IF EXISTS {name}")


def are_installed(connection: sqlite3.Connection) -> bool:
    """Tell whether the database keeps the counts."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = ?", _NAMES[:1])
    return found.fetchone() is not None
