"""YAML text into a checked configuration, or into problems with line and column."""

from pacer_core.config.load import check, load
from pacer_core.config.model import Broker, Config, Consumer, ConsumerPlan, Exchange, Integration, Queue
from pacer_core.config.problems import Code, ConfigError, Problem

__all__ = [
    "Broker",
    "Code",
    "Config",
    "ConfigError",
    "Consumer",
    "ConsumerPlan",
    "Exchange",
    "Integration",
    "Problem",
    "Queue",
    "check",
    "load",
]
