"""Keys of the ingestor's configuration that PACER has no use for, and why."""

from __future__ import annotations

from typing import Any

DEFAULT_EXPECTED: tuple[Any, ...] = ("", None, [], False)
"""Values that ask for nothing."""
_BY_COMMAND = "a command's own: `pacer scicat ingest FILE`"

UNNEEDED = {
    "nexus_file": _BY_COMMAND,
    "done_writing_message_file": _BY_COMMAND,
    "config_file": "a command's own: --config",
    "id": "said nothing but itself",
    "ingestion.dry_run": "`pacer scicat ingest --dry-run FILE` shows what would be done",
    "ingestion.offline_ingestor_executable": "no process is started for a file",
    "ingestion.offline_ingestors_wait_time": "a full consumer leaves messages in the queue",
    "ingestion.file_handling.compute_file_stats": "sizes and times are always there",
    "ingestion.file_handling.data_file_open_max_tries": "the consumer's retries",
    "ingestion.file_handling.data_file_open_retry_delay": "the consumer's retries",
    "logging.verbose": "PACER always writes to standard error",
    "logging.log_message_prefix": "records carry the names of their loggers",
    "scicat.stream": "had no effect",
    "scicat.health_endpoint": "PACER knows where it is",
    "scicat.api_endpoints": "PACER knows where they are",
}
"""By the path of the key."""
