"""Amazon SQS as a broker of PACER: `SQS` is the transport, `SqsOptions` are its keys in YAML."""

from __future__ import annotations

from pacer_sqs.kinds import SQS
from pacer_sqs.options import Binding, LargeBodies, SqsOptions

__all__ = ["SQS", "Binding", "LargeBodies", "SqsOptions"]
