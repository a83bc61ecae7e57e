"""A stand-in for SciCat's backend, for tests and for trying things out. It is no production server.

::

    with ScicatStandIn() as scicat:
        scicat.misbehaviour.fail("lost-answer", method="POST", path="/datasets")
        ... # scicat.url, account datasetIngestor, password pw-datasetIngestor
        assert list(scicat.store.datasets) == ["20.500.12269/1"]

``python -m pacer_scicat.testing`` runs one in a process of its own.
"""

from pacer_scicat.testing.accounts import Accounts, User
from pacer_scicat.testing.server import CONTROL, ScicatStandIn

__all__ = ["CONTROL", "Accounts", "ScicatStandIn", "User"]
