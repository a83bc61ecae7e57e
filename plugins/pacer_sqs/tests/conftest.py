"""An SQS (ElasticMQ), and an S3 (moto's server), as processes of this session."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from datetime import timedelta
from urllib.request import urlopen
from uuid import uuid4

import boto3
import pytest

from pacer_core import Secret
from pacer_sqs import LargeBodies, SqsOptions
from tests.services import ElasticMQ
from tests.services.base import Nest, free_port, wait_until

BUCKET = "pacer-bodies"


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    """The URL of moto's server, which stands in for S3; there is none to be had from a registry."""
    url = f"http://127.0.0.1:{free_port()}"

    def answers() -> bool:
        try:
            with urlopen(f"{url}/moto-api/", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    with Nest("moto") as nest:
        port = url.rpartition(":")[2]
        nest.start(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", port, env={}, log="moto.log")
        wait_until(answers, seconds=60, what="moto's server answers")
        yield url


@pytest.fixture(scope="session")
def bucket(s3: str) -> str:
    """The URL of an S3 with a bucket for large bodies."""
    client = boto3.client(
        "s3", endpoint_url=s3, region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    client.create_bucket(Bucket=BUCKET)
    return s3


@pytest.fixture
def options(elasticmq: ElasticMQ) -> SqsOptions:
    """The options of an SQS without any queue."""
    return SqsOptions(
        region="us-east-1",
        endpoint=elasticmq.url,
        access_key_id="pacer",
        secret_access_key=Secret("of-the-tests"),
        queue_prefix=f"{uuid4().hex[:12]}-",
        visibility_timeout=timedelta(seconds=8),
    )


@pytest.fixture
def large(bucket: str) -> LargeBodies:
    """Where large bodies wait."""
    return LargeBodies(BUCKET, endpoint=bucket)
