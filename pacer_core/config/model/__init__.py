"""The configuration as typed data; every class is one mapping of the YAML file, in camel case there.

Each module has the classes of the sections that its first line names, and `checked` what becomes of them all
once the installed plugins have been asked. Everybody else imports them from here.
"""

from pacer_core.config.model.amqp import AMQP, Amqp, Tls
from pacer_core.config.model.brokers import Broker, Brokers, ForwardingRule, Main, Other, Recipient
from pacer_core.config.model.complete import Config, ConsumerPlan, Integration, LogHandler
from pacer_core.config.model.consumers import Consumer, NotYetPolicy, Retries
from pacer_core.config.model.key_spaces import KeySpace
from pacer_core.config.model.observability import Health, LogConsole, LogFile, Logging, LogSyslog, Tracing
from pacer_core.config.model.processes import PluginOptions, Processes
from pacer_core.config.model.queues import Exchange, Queue, QueuePolicy
from pacer_core.config.model.services import Service, ServicePlan

__all__ = [
    "AMQP",
    "Amqp",
    "Broker",
    "Brokers",
    "Config",
    "Consumer",
    "ConsumerPlan",
    "Exchange",
    "ForwardingRule",
    "Health",
    "Integration",
    "KeySpace",
    "LogConsole",
    "LogFile",
    "LogHandler",
    "LogSyslog",
    "Logging",
    "Main",
    "NotYetPolicy",
    "Other",
    "PluginOptions",
    "Processes",
    "Queue",
    "QueuePolicy",
    "Recipient",
    "Retries",
    "Service",
    "ServicePlan",
    "Tls",
    "Tracing",
]
