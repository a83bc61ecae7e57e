"""Picks the brokers that a message is forwarded to: dangerous goods are nobody else's business."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pacer_core import Envelope, Route
from shipments_pacer.shipments import Shipment


def keep_dangerous_goods(message: Any, envelope: Envelope, routes: Sequence[Route]) -> Sequence[Route] | None:
    """Give no route to a shipment of dangerous goods, and have no opinion about others."""
    return () if isinstance(message, Shipment) and message.dangerous else None
