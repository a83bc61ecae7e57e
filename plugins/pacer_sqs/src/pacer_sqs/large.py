"""Bodies that are too large for SQS, in S3, in the format of Amazon's extended client.

Such a message's body is a pointer, a list of a class name and a table with bucket and key, and an attribute
tells the size of what it points to. Only objects of the bucket of the configuration are read, and removed
when their message has ended: a pointer is a publisher's word, and must not read, or remove, what else PACER's
account can reach.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

from amqp.exceptions import RecoverableConnectionError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from pacer_core import BrokerError
from pacer_sqs.client import session
from pacer_sqs.options import SqsOptions
from pacer_sqs.wire import OLD_SIZE, SIZE, Written

log = logging.getLogger("pacer.transport")

_CLASS = "software.amazon.payloadoffloading.PayloadS3Pointer"
_AT_ONCE = 1000
_GONE = frozenset({"NoSuchKey", "404", "NotFound"})


class BodyGone(Exception):
    """A pointer points to nothing that may be read; its text says why."""


class Bodies:
    """The bucket of large bodies; any thread may call it."""

    def __init__(self, options: SqsOptions) -> None:
        large = options.large_bodies
        if large is None:
            raise ValueError("no largeBodies are configured")
        self._bucket, self._prefix = large.bucket, large.prefix
        connect = options.connect_timeout.total_seconds()
        try:
            self._s3 = session(options).client(
                "s3",
                endpoint_url=large.endpoint,
                config=Config(
                    connect_timeout=connect,
                    read_timeout=60,
                    retries={"mode": "standard", "total_max_attempts": 3},
                    s3={"addressing_style": "path" if large.endpoint else "auto"},
                ),
            )
        except (BotoCoreError, ValueError) as error:
            raise BrokerError(f"largeBodies cannot be used so: {error}") from None

    def keep(self, written: Written) -> Written:
        """Put a body into the bucket; give the message that points to it."""
        text = written.body.encode()
        key = f"{self._prefix}{uuid4()}"
        try:
            self._s3.put_object(Bucket=self._bucket, Key=key, Body=text)
        except (BotoCoreError, ClientError) as error:
            raise self._away(error) from None
        pointer = [_CLASS, {"s3BucketName": self._bucket, "s3Key": key}]
        size = {SIZE: {"DataType": "Number", "StringValue": str(len(text))}}
        return Written(json.dumps(pointer, separators=(",", ":")), {**written.attributes, **size})

    def fetch(self, key: str) -> str:
        """Give a body.

        Raises
        ------
        BodyGone
            Where it is not there.
        RecoverableConnectionError
            Where S3 does not give it now.
        """
        try:
            content: bytes = self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read()
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in _GONE:
                raise BodyGone(f"there is no object {key!r} in bucket {self._bucket!r}") from None
            raise self._away(error) from None
        except BotoCoreError as error:
            raise self._away(error) from None
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise BodyGone(f"object {key!r} in bucket {self._bucket!r} is no text") from None

    def remove(self, keys: Sequence[str]) -> None:
        """Remove bodies whose messages have ended; what cannot be is left to the bucket's own rules."""
        for start in range(0, len(keys), _AT_ONCE):
            some = keys[start : start + _AT_ONCE]
            try:
                self._s3.delete_objects(
                    Bucket=self._bucket, Delete={"Objects": [{"Key": key} for key in some], "Quiet": True}
                )
            except (BotoCoreError, ClientError) as error:
                log.warning("%d bodies are left in bucket %s: %s", len(some), self._bucket, error)

    def key(self, message: Mapping[str, Any]) -> str | None:
        """Give where the body of a message is, or None where it is in the message.

        Raises
        ------
        BodyGone
            Where it points elsewhere than into our bucket.
        """
        attributes = message.get("MessageAttributes", {})
        if SIZE not in attributes and OLD_SIZE not in attributes:
            return None
        try:
            _, where = json.loads(message["Body"])
            bucket, key = where["s3BucketName"], where["s3Key"]
        except (ValueError, TypeError, KeyError):
            return None  # it has the attribute, and is no pointer
        if bucket != self._bucket or not isinstance(key, str):
            raise BodyGone(f"it points into bucket {bucket!r}, and largeBodies.bucket is {self._bucket!r}")
        return key

    def _away(self, error: Exception) -> RecoverableConnectionError:
        return RecoverableConnectionError(f"bucket {self._bucket!r} of largeBodies: {error}")
