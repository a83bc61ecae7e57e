"""What brings messages in beside the brokers: ``services:`` of the file."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from pacer_core.config.sections import Positive
from pacer_core.model.services import ServiceType

_ONE = Positive(1)


@frozen
class Service:
    """A service type with its options, run as processes of its own by ``pacer run``.

    Attributes
    ----------
    type
        A service type that an installed plugin registers; ``pacer plugins list`` shows them.
    name
        By default its type; needed where two services have one type.
    enabled
        With ``false`` it is checked and not run.
    instances
        How many processes run it.
    options
        The options of its type.
    """

    type: str
    name: str = ""
    enabled: bool = True
    instances: Positive = _ONE
    options: Any = None


@frozen(eq=False)
class ServicePlan:
    """One service, ready to run: its configuration, its type, and its structured options."""

    config: Service
    type: ServiceType
    options: Any
    destinations: tuple[str, ...] = ()
    """The consumers and queues that it says it publishes to."""

    @property
    def name(self) -> str:
        """The service's name, unique among the services of the configuration."""
        return self.config.name
