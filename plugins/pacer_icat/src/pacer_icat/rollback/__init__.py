"""Taking back what a block of code has written to ICAT."""

from pacer_icat.rollback.block import Rollback, RollbackError, Savepoint
from pacer_icat.rollback.entries import Unrestored

__all__ = ["Rollback", "RollbackError", "Savepoint", "Unrestored"]
