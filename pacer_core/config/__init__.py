"""YAML text into a checked configuration, or into problems with line and column.

`model` has the classes of everything that a file may say.
"""

from pacer_core.config.load import check, load
from pacer_core.config.model import Config
from pacer_core.config.problems import Code, ConfigError, Problem

__all__ = ["Code", "Config", "ConfigError", "Problem", "check", "load"]
