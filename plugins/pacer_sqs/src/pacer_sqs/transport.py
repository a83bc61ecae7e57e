"""kombu's face of SQS."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from amqp.exceptions import AccessRefused

from pacer_channel import Store
from pacer_channel import Transport as Base
from pacer_sqs.client import QueueGone
from pacer_sqs.kinds import OPTIONS
from pacer_sqs.place import place_of
from pacer_sqs.store import SqsStore

_NOBODYS = "pacer-is-there-an-answer"


class Transport(Base):
    """The transport behind ``protocol: sqs``."""

    driver_type = "sqs"
    driver_name = "boto3"

    def open_store(self, client: Any) -> Store:
        """Open SQS for one more connection; it is asked for a queue that nobody has, to see that it answers.

        Raises
        ------
        BrokerError
            Where the options are wrong, or the credentials.
        """
        place = place_of(client.transport_options[OPTIONS])
        with suppress(QueueGone, AccessRefused):  # refused: it may have no right to that one
            place.client.url(place.options.queue_prefix + _NOBODYS)
        return SqsStore(place)
