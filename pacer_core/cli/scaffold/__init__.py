"""A plugin begun: a distribution that passes its own tests, style and types as it is written."""

from pacer_core.cli.scaffold.parts import PARTS
from pacer_core.cli.scaffold.write import Consumer, begin

__all__ = ["PARTS", "Consumer", "begin"]
