"""What the plugin registers with PACER."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from pacer_core import IntegrationType, ServiceType, hookimpl
from pacer_pacifica.commands import pacifica
from pacer_pacifica.integration import PACIFICA
from pacer_pacifica.service import SERVICE


@hookimpl
def pacer_integrations() -> Iterable[IntegrationType[Any]]:
    """Give the integration ``pacifica``: jobs and spool."""
    return [PACIFICA]


@hookimpl
def pacer_commands() -> Iterable[click.Command]:
    """Give the group ``pacer pacifica``."""
    return [pacifica]


@hookimpl
def pacer_services() -> Iterable[ServiceType]:
    """Give the service ``pacifica``: the door for bundles over HTTP."""
    return [SERVICE]
