"""The YAML options of a consumer of type ``investigation-operations``."""

from __future__ import annotations

from attrs import frozen

MINT = "mint-proposal"
PANOSC = "create-panosc-item"
REINDEX = "reindex"


@frozen
class OperationsOptions:
    """Which operations a facility knows.

    Attributes
    ----------
    operations
        The operations that a message may ask for. What they do, other plugins' tasks know.
    industrial_type
        As for ``investigations``: nothing of that type is ever published.
    """

    operations: tuple[str, ...] = (MINT, PANOSC, REINDEX)
    industrial_type: str = "INDUSTRIAL"
