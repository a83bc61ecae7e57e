"""The YAML options of the integration ``dashboard``."""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen


def _positive(_: Any, __: Any, value: int) -> None:
    if value < 1:
        raise ValueError("should be 1 or more")


@frozen
class DashboardOptions:
    """Where records go, and how they read.

    Attributes
    ----------
    exchange, routing_key
        Where they are published, at PACER's broker. A queue has to be bound there: until it is, records wait
        on disk.
    format
        ``icat-pacer`` is read by the dashboard of ICAT-PACER; ``json`` says more.
    celery_task
        With ``icat-pacer``: the task of the dashboard that takes a record.
    message_types
        With ``icat-pacer``: by consumer type, what the dashboard calls it, where that is not the name in the
        table of the reference.
    payload
        Whether records hold the message's body. It may be about people.
    buffer_m_bytes
        How many MiB of records wait on disk at most, for all processes of a configuration together.
    """

    exchange: str = "dashboard-logging-exchange"
    routing_key: str = "message.logging"
    format: Literal["icat-pacer", "json"] = "icat-pacer"
    celery_task: str = "dashboard.tasks.log_pacer_message"
    message_types: dict[str, str] = field(factory=dict)
    payload: bool = True
    buffer_m_bytes: int = field(default=256, validator=_positive)
