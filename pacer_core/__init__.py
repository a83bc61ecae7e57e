"""PACER, the Python Asynchronous Catalogue Entry Router: what a plugin may import, and nothing else."""

from pacer_core import early_signals as _starting  # noqa: F401, I001 - first: until then, SIGTERM is a death

from pacer_core.model.consumers import ConsumerType, Key, Task, task
from pacer_core.model.integrations import IntegrationType, LogHandlerType, Seen, Use
from pacer_core.model.errors import (
    BadField,
    BrokerError,
    NotTakenError,
    NotYet,
    PacerError,
    RefusedError,
    Reject,
    Retry,
)
from pacer_core.hookspecs import hookimpl
from pacer_core.commands import (
    broker_by_hand,
    config_option,
    consumer_by_hand,
    publish,
    say,
    say_json,
    service_options,
)
from pacer_core.model.by_hand import BrokerAddress, BrokerByHand, LetterChoice, LettersLeft, Posting
from pacer_core.model.secrets import Secret, redact
from pacer_core.model.messages import Context, Delivery, Envelope, Outcome
from pacer_core.parsing.numbers import read_integer, read_number, read_truth
from pacer_core.parsing.fields import structure as structured
from pacer_core.parsing.field_types import Scalar, Text, Texts, element
from pacer_core.model.routes import Route
from pacer_core.model.migrations import ConfigMigration, Foreign, Migrated, Note, UnknownConsumer, yaml_text
from pacer_core.model.planning import Planned
from pacer_core.model.notification import SettledContext, hears
from pacer_core.model.transports import Capabilities, TransportType
from pacer_core.model.queued_log import QueuedHandler
from pacer_core.model.services import Publication, ServiceContext, ServiceType, Stopping, StoppingEvent

__all__ = [
    "BadField",
    "BrokerAddress",
    "BrokerByHand",
    "BrokerError",
    "Capabilities",
    "ConfigMigration",
    "ConsumerType",
    "Context",
    "Delivery",
    "Envelope",
    "Foreign",
    "IntegrationType",
    "Key",
    "LetterChoice",
    "LettersLeft",
    "LogHandlerType",
    "Migrated",
    "NotTakenError",
    "NotYet",
    "Note",
    "Outcome",
    "PacerError",
    "Planned",
    "Posting",
    "Publication",
    "QueuedHandler",
    "RefusedError",
    "Reject",
    "Retry",
    "Route",
    "Scalar",
    "Secret",
    "Seen",
    "ServiceContext",
    "ServiceType",
    "SettledContext",
    "Stopping",
    "StoppingEvent",
    "Task",
    "Text",
    "Texts",
    "TransportType",
    "UnknownConsumer",
    "Use",
    "broker_by_hand",
    "config_option",
    "consumer_by_hand",
    "element",
    "hears",
    "hookimpl",
    "publish",
    "read_integer",
    "read_number",
    "read_truth",
    "redact",
    "say",
    "say_json",
    "service_options",
    "structured",
    "task",
    "yaml_text",
]

__version__ = "0.1.0"
