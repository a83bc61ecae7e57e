"""boto3's door: what is asked of SQS, in batches, with its refusals in the words of AMQP."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar

import boto3
import botocore.loaders
import botocore.session
from amqp.exceptions import AccessRefused, RecoverableConnectionError
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

from pacer_core import BrokerError
from pacer_sqs.options import SqsOptions

BATCH = 10
"""Messages that SQS takes in one request, and gives in one."""
CONNECTIONS = 48
DAYS_14 = 14 * 24 * 3600
"""Seconds for which SQS keeps a message at most."""

_GONE = frozenset({"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue"})
_WHO = frozenset(
    {
        "InvalidClientTokenId",
        "InvalidAccessKeyId",
        "SignatureDoesNotMatch",
        "ExpiredToken",
        "ExpiredTokenException",
        "UnrecognizedClientException",
        "AuthFailure",
        "MissingAuthenticationToken",
        "IncompleteSignature",
    }
)
_DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
T = TypeVar("T")


class QueueGone(Exception):
    """There is no such queue, or no longer."""


def session(options: SqsOptions) -> Any:
    """Give boto3's session: with the credentials of the options, or those that boto3 finds.

    Raises
    ------
    BrokerError
        Where there is no such profile.
    """
    secret = options.secret_access_key
    core = botocore.session.Session()
    core.register_component("data_loader", _loader())
    try:
        return boto3.session.Session(
            botocore_session=core,
            profile_name=options.profile,
            region_name=options.region,
            aws_access_key_id=options.access_key_id,
            aws_secret_access_key=secret.reveal() if secret else None,
        )
    except BotoCoreError as error:
        raise BrokerError(f"{error}; correct 'profile', or leave it out") from None


@cache
def _loader() -> Any:
    """Give what reads botocore's descriptions of services: once in a process, as it takes 50 ms each time."""
    return botocore.loaders.create_loader()


class Client:
    """SQS as one process uses it; any thread may call it."""

    def __init__(self, options: SqsOptions) -> None:
        poll = options.long_poll.total_seconds()
        connect = options.connect_timeout.total_seconds()
        try:
            self._sqs = session(options).client(
                "sqs",
                endpoint_url=options.endpoint,
                config=Config(
                    connect_timeout=connect,
                    read_timeout=poll + connect,
                    max_pool_connections=CONNECTIONS,
                    retries={"mode": "standard", "total_max_attempts": 3},
                    user_agent_appid="pacer",
                ),
            )
        except NoRegionError:
            raise BrokerError("SQS needs a region: give 'region', or set AWS_REGION") from None
        except (BotoCoreError, ValueError) as error:
            raise BrokerError(f"SQS cannot be used so: {error}") from None

    @property
    def where(self) -> str:
        """The URL that it speaks to."""
        return str(self._sqs.meta.endpoint_url)

    @property
    def region(self) -> str:
        """The region."""
        return str(self._sqs.meta.region_name)

    # Queues

    def url(self, name: str) -> str:
        """Give the URL of a queue.

        Raises
        ------
        QueueGone
            Where there is none.
        """
        with _translated():
            return str(self._sqs.get_queue_url(QueueName=name)["QueueUrl"])

    def create(self, name: str, attributes: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """Make a queue, or find the same one there; give its URL."""
        with _translated():
            made = self._sqs.create_queue(QueueName=name, Attributes=dict(attributes), tags=dict(tags))
            return str(made["QueueUrl"])

    def tags(self, url: str) -> dict[str, str]:
        """Give the tags of a queue."""
        with _translated():
            return dict(self._sqs.list_queue_tags(QueueUrl=url).get("Tags", {}))

    def tag(self, url: str, tags: Mapping[str, str]) -> None:
        """Tag a queue."""
        with _translated():
            self._sqs.tag_queue(QueueUrl=url, Tags=dict(tags))

    def attributes(self, url: str, *names: str) -> dict[str, str]:
        """Give some attributes of a queue."""
        with _translated():
            found = self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=list(names))
            return dict(found.get("Attributes", {}))

    def purge(self, url: str) -> None:
        """Remove what a queue has ready; Amazon does it within a minute, and once a minute."""
        with _translated():
            self._sqs.purge_queue(QueueUrl=url)

    def delete_queue(self, url: str) -> None:
        """Remove a queue with all that is in it."""
        with _translated():
            self._sqs.delete_queue(QueueUrl=url)

    # Messages

    def send(self, url: str, entries: Sequence[Mapping[str, Any]]) -> dict[int, tuple[bool, str]]:
        """Send at most `BATCH` messages.

        Gives those that SQS does not take, by their place: whether the fault is ours, and what it says.
        """
        return self._batch(self._sqs.send_message_batch, url, entries)

    def receive(self, url: str, most: int, wait: int, visibility: int) -> list[dict[str, Any]]:
        """Take at most so many messages, waiting for them so many seconds."""
        with _translated():
            answer = self._sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=most,
                WaitTimeSeconds=wait,
                VisibilityTimeout=visibility,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["ApproximateReceiveCount", "SentTimestamp", "MessageGroupId"],
            )
            return list(answer.get("Messages", ()))

    def delete(self, url: str, handles: Sequence[str]) -> dict[int, tuple[bool, str]]:
        """End messages; as with `send`, say which were not."""
        return self._batch(self._sqs.delete_message_batch, url, [{"ReceiptHandle": one} for one in handles])

    def hide(self, url: str, handles: Sequence[str], seconds: int) -> dict[int, tuple[bool, str]]:
        """Hide messages in our hand from now on, for 0 seconds to give them back; as with `send`."""
        entries = [{"ReceiptHandle": one, "VisibilityTimeout": seconds} for one in handles]
        return self._batch(self._sqs.change_message_visibility_batch, url, entries)

    @staticmethod
    def _batch(
        call: Callable[..., Any], url: str, entries: Sequence[Mapping[str, Any]]
    ) -> dict[int, tuple[bool, str]]:
        with _translated():
            answer = call(
                QueueUrl=url, Entries=[{"Id": str(place), **one} for place, one in enumerate(entries)]
            )
        return {
            int(one["Id"]): (bool(one["SenderFault"]), f"{one['Code']}: {one.get('Message', '')}".strip(": "))
            for one in answer.get("Failed", ())
        }


@contextmanager
def _translated() -> Iterator[None]:
    """Raise what the callers know."""
    try:
        yield
    except ClientError as error:
        raise translated(error) from None
    except NoCredentialsError:
        raise BrokerError(
            "boto3 finds no credentials: give accessKeyId and secretAccessKey, or set up a profile, "
            "AWS_ACCESS_KEY_ID in the environment, or a role of the machine"
        ) from None
    except BotoCoreError as error:  # no answer, or one that is none
        raise RecoverableConnectionError(f"SQS does not answer: {error}") from None


def translated(error: ClientError) -> Exception:
    """Give what a refusal of SQS means to PACER; its text quotes no secret."""
    told = error.response.get("Error", {})
    code = str(told.get("Code", "")).removeprefix("com.amazonaws.sqs#")
    text = f"{error.operation_name}: {code}: {told.get('Message', '')}".rstrip(": ")
    if code in _GONE:
        return QueueGone(text)
    if code in _WHO:
        return BrokerError(f"SQS refuses the credentials: {text}; correct them")
    if code in _DENIED:
        refused: Exception = AccessRefused(f"ACCESS_REFUSED - {text}", (0, 0), reply_code=403)
        return refused
    lost: Exception = RecoverableConnectionError(f"SQS refused: {text}")
    return lost


def batches(those: Sequence[T], size: int = BATCH) -> Iterator[Sequence[T]]:
    """Give them in tens."""
    for start in range(0, len(those), size):
        yield those[start : start + size]
