"""What every transport of PACER keeps, as tests that a transport runs against itself.

A test module of the transport says ``from pacer_contract.tests import *`` and has a fixture ``broker`` that
gives an empty `Broker` for each test.
"""

import pytest

pytest.register_assert_rewrite("pacer_contract.tests", "pacer_contract.broker")

from pacer_contract.broker import Broker  # noqa: E402 - its asserts are rewritten as those of the tests

__all__ = ["Broker"]
