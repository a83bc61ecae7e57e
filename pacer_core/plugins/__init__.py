"""Discover, block, register and report plugins."""

from pacer_core.plugins.found import ACTIVE, BLOCKED, FAILED, PluginInfo, Plugins
from pacer_core.plugins.loading import CORE_COMMANDS, load

__all__ = ["ACTIVE", "BLOCKED", "CORE_COMMANDS", "FAILED", "PluginInfo", "Plugins", "load"]
