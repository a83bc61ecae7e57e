"""All tests: ``from pacer_contract.tests import *`` in a module with a fixture ``broker``."""

from pacer_contract.tests.core import *  # noqa: F403
from pacer_contract.tests.dead_letters import *  # noqa: F403
from pacer_contract.tests.messages import *  # noqa: F403
from pacer_contract.tests.processes import *  # noqa: F403
from pacer_contract.tests.publishing import *  # noqa: F403
from pacer_contract.tests.topology import *  # noqa: F403

__all__ = [name for name in globals() if name.startswith("test_")]
