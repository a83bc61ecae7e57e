"""python-icat over our own connections, session and schema: the only door to it, opened when first needed."""

from pacer_icat.pythonicat.client import Client
from pacer_icat.pythonicat.transport import Documents

__all__ = ["Client", "Documents"]
