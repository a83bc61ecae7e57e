"""A configuration of ``scicat-ingestor``, YAML or JSON, as one of PACER's; each difference is explained."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field

from pacer_core import Foreign, Migrated, Note, PacerError, Secret
from pacer_scicat.located import NotReadableError, load, place
from pacer_scicat.migration.unneeded import DEFAULT_EXPECTED, UNNEEDED

SECTIONS = frozenset({"dataset", "ingestion", "kafka", "logging", "scicat", "health_check"})
_KAFKA_OWN = {
    *("topics", "group_id", "bootstrap_servers", "individual_message_commit", "enable_auto_commit"),
    *("sasl_password",),
}


def recognises(foreign: Foreign) -> bool:
    """Tell whether a text is a configuration of the ingestor: it has its sections."""
    try:
        data = load(foreign.text, is_json=foreign.file.suffix == ".json")
    except NotReadableError:
        return False
    if not isinstance(data, Mapping) or not {"ingestion", "scicat"} <= data.keys():
        return False
    ingestion = data["ingestion"]
    return isinstance(ingestion, Mapping) and bool(
        {"schemas_directory", "file_handling", "max_offline_ingestors"} & ingestion.keys()
    )


def migrate(foreign: Foreign) -> Migrated:
    """Turn a configuration into PACER's.

    Raises
    ------
    PacerError
        Where the text cannot be read.
    """
    try:
        data = load(foreign.text, is_json=foreign.file.suffix == ".json")
    except NotReadableError as error:
        raise PacerError(f"{foreign.file}:{error.line}:{error.column}: {error.why}") from None
    if not isinstance(data, Mapping):
        raise PacerError(f"{foreign.file}: a configuration is a mapping")
    return _Migration(data).migrated()


@define
class _Migration:
    data: Mapping[str, Any]
    notes: list[Note] = field(factory=list)
    secrets: dict[str, Secret] = field(factory=dict)

    def migrated(self) -> Migrated:
        """Give the configuration, with everything that has changed."""
        lines = [
            "# Made from a configuration of scicat-ingestor by `pacer config migrate`.",
            "brokers:",
            "  main: {protocol: amqp, host: localhost, username: guest, password: guest}",
            "exchanges: [{name: writers}]",
            "queues: [{name: nexus-files, exchange: writers, routingKey: file.written}]",
            *self._service(),
            *self._consumer(),
            *self._integration(),
            *self._logging(),
            *self._health(),
        ]
        self._note(
            0, "a broker stands between Kafka and SciCat: say where yours is, as brokers.main", "to-do"
        )
        self._rest()
        return Migrated("\n".join(lines) + "\n", tuple(self.notes), self.secrets)

    # --- parts ---

    def _service(self) -> Iterator[str]:
        topics = self._get("kafka", "topics")
        if not topics:
            self._note(0, "no topics are named: messages come from the queue nexus-files alone", "to-do")
            return
        named = [one.strip() for one in topics.split(",")] if isinstance(topics, str) else list(topics)
        servers = [
            one.strip() for one in str(self._get("kafka", "bootstrap_servers") or "").split(",") if one
        ]
        yield "services:"
        yield "  - type: kafka"
        yield "    options:"
        yield f"      bootstrapServers: {_flow(servers)}"
        yield f"      groupId: {_flow(self._get('kafka', 'group_id') or 'pacer')}"
        ends = [f"{{name: {_flow(one)}, to: {{wrdn: nexus-files}}}}" for one in named]
        yield f"      topics: [{', '.join(ends)}]"
        options = dict(self._librdkafka())
        if options:
            yield "      librdkafka:"
            yield from (f"        {name}: {value}" for name, value in options.items())
        for key in ("individual_message_commit", "enable_auto_commit"):
            if self._has("kafka", key):
                what = "an offset is committed when PACER's broker has confirmed the message, always"
                self._note(self._line("kafka", key), f"kafka.{key}: {what}", "left-out")

    def _librdkafka(self) -> Iterator[tuple[str, str]]:
        kafka = self._section("kafka")
        for key, value in kafka.items():
            if key in _KAFKA_OWN or value in ("", None):
                continue
            yield key.replace("_", "."), _flow(value)
        if kafka.get("sasl_password"):
            self.secrets["kafka-password"] = Secret(str(kafka["sasl_password"]))
            yield "sasl.password", "!secret kafka-password"

    def _consumer(self) -> Iterator[str]:
        ingestors = self._get("ingestion", "max_offline_ingestors") or 10
        what = f"ingestion.max_offline_ingestors: at most workers x concurrency files at once ({ingestors})"
        self._note(self._line("ingestion", "max_offline_ingestors"), what)
        yield "consumers:"
        yield "  - type: nexus-files"
        yield "    queues: [nexus-files]"
        yield "    workers: 1"
        yield f"    concurrency: {int(ingestors)}"
        yield "    integrations: [scicat]"
        yield "    options:"
        for name, value in self._options():
            yield f"      {name}: {_flow(value)}"

    def _options(self) -> Iterator[tuple[str, Any]]:
        schemas = str(self._get("ingestion", "schemas_directory") or "schemas")
        if not os.path.isabs(schemas):
            text = (
                f"ingestion.schemas_directory {schemas!r} counted from where the program ran: name it whole"
            )
            self._note(self._line("ingestion", "schemas_directory"), text, "to-do")
            schemas = f"/{schemas}"
        yield "schemas", schemas
        fallback = self._get("ingestion", "fallback_schema_file_path")
        if fallback:
            what = "ingestion.fallback_schema_file_path had no effect; it has one now"
            self._note(self._line("ingestion", "fallback_schema_file_path"), what)
            yield "fallbackSchema", fallback
        data = self._get("ingestion", "file_handling", "data_directory")
        if not data:
            self._note(
                0, "allowedRoots: name the folders that hold data; any file may be read so far", "to-do"
            )
        yield "allowedRoots", [data or "/"]
        yield "pid", self._pid()
        yield "metadataKey", self._metadata_key()
        if self._get("ingestion", "check_if_dataset_exists_by_metadata") is not False:
            yield "lookUp", "metadata"
        yield from self._files()
        defaults = dict(self._defaults())
        if defaults:
            yield "defaults", defaults

    def _pid(self) -> Mapping[str, Any]:
        dataset = self._section("dataset")
        if dataset.get("generate_dataset_pid"):
            what = (
                "dataset.generate_dataset_pid: made from the job id now, the same each time, with the prefix"
            )
            self._note(self._line("dataset", "generate_dataset_pid"), what)
            return {"policy": "generated", "prefix": str(dataset.get("dataset_pid_prefix", ""))}
        if dataset.get("allow_dataset_pid", True):
            if dataset.get("dataset_pid_prefix"):
                what = "dataset.dataset_pid_prefix had no effect, and has none on pids that schemas give"
                self._note(self._line("dataset", "dataset_pid_prefix"), what, "left-out")
            return {"policy": "given", "prefix": ""}
        return {"policy": "server"}

    def _metadata_key(self) -> str | None:
        key = "check_if_dataset_exists_by_pid"
        if self._has("ingestion", key):
            what = "a pid that is there is always noticed; what lacks its files gets them"
            self._note(self._line("ingestion", key), f"ingestion.{key}: {what}", "left-out")
        key = "check_if_dataset_exists_by_metadata"
        if self._get("ingestion", key) is not False:
            what = (
                "took an empty list for a match, and skipped every new file: lookUp 'metadata' finds what is "
                "there, for one request a file; leave it out where no dataset has a pid of another kind"
            )
            self._note(self._line("ingestion", key), f"ingestion.{key} {what}")
        return str(self._get("ingestion", "check_if_dataset_exists_by_metadata_key") or "job_id")

    def _files(self) -> Iterator[tuple[str, Any]]:
        files = self._section("ingestion", "file_handling")
        hashes = files.get("compute_file_hash", True)
        yield "hash", files.get("file_hash_algorithm", "blake2b") if hashes else None
        yield "paths", files.get("file_path_type", "relative")
        saved = bool(files.get("save_file_hash", True))
        if saved and not hashes:
            what = (
                "file_handling.save_file_hash without compute_file_hash ended the program: no hash is saved"
            )
            self._note(self._line("ingestion", "file_handling"), what)
        yield (
            "sidecars",
            {
                "folder": files.get("ingestor_files_directory", "../ingestor"),
                "hash": bool(saved and hashes),
                "hashExtension": files.get("hash_file_extension", "b2b"),
                "message": bool(files.get("message_to_file", True)),
                "messageExtension": files.get("message_file_extension", "message.json"),
            },
        )

    def _defaults(self) -> Iterator[tuple[str, Any]]:
        for old, new in (
            *(("default_owner_group", "ownerGroup"), ("default_access_groups", "accessGroups")),
            *(("default_instrument_id", "instrumentId"), ("default_proposal_id", "proposalId")),
        ):
            value = self._get("dataset", old)
            if value:
                yield new, value

    def _integration(self) -> Iterator[str]:
        yield "integrations:"
        yield "  scicat:"
        yield f"    url: {_flow(self._get('scicat', 'host') or 'https://scicat.example.org')}"
        token = self._get("scicat", "token")
        if token:
            self.secrets["scicat-token"] = Secret(str(token))
            yield "    token: !secret scicat-token"
            text = "scicat.token ends one day: username and password instead renew it by themselves"
            self._note(self._line("scicat", "token"), text)
        else:
            yield "    username: datasetIngestor"
            yield "    password: !env SCICAT_PASSWORD"
            self._note(0, "scicat.token is empty: give PACER's account in SciCat", "to-do")
        headers = self._get("scicat", "additional_headers")
        if headers:
            yield f"    headers: {_flow(headers)}"
        timeout = self._get("scicat", "timeout")
        if timeout:
            yield f"    timeout: {timeout}s"
            self._note(self._line("scicat", "timeout"), "scicat.timeout: seconds, as the program had them")
        elif timeout == 0:
            text = "scicat.timeout 0 made every call fail: it is two minutes now"
            self._note(self._line("scicat", "timeout"), text)
        if self._get("scicat", "verify") is False:
            text = "scicat.verify: certificates are always verified; name your authority's as caFile"
            self._note(self._line("scicat", "verify"), text, "left-out")

    def _logging(self) -> Iterator[str]:
        logging = self._section("logging")
        level = str(logging.get("logging_level", "INFO")).upper()
        yield "logging:"
        yield f"  logLevel: {level}"
        if logging.get("graylog"):
            url = f"udp://{logging.get('graylog_host')}:{logging.get('graylog_port') or 12201}"
            yield f"  graylog: {_flow({'url': url, 'facility': logging.get('graylog_facility') or 'scicat'})}"
            text = "logging.graylog: the log handler of pacer-graylog, with the fields of ECS"
            self._note(self._line("logging", "graylog"), text)
        for key in ("file_log", "system_log"):
            if logging.get(key):
                text = f"logging.{key}: PACER writes to standard error; logging.file writes a file as well"
                self._note(self._line("logging", key), text, "to-do")

    def _health(self) -> Iterator[str]:
        health = self._section("health_check")
        if health:
            host, port = health.get("host", "0.0.0.0"), health.get("port", 8080)  # noqa: S104 - the old default
            yield f"health: {{enabled: true, host: {_flow(host)}, port: {port}}}"
            text = "health_check: /health/ready and /health/live, see the page about monitoring"
            self._note(self._line("health_check", "port"), text)

    # --- what is left ---

    def _rest(self) -> None:
        for path, why in UNNEEDED.items():
            *sections, key = path.split(".")
            if self._has(*sections, key) and self._section(*sections).get(key) not in DEFAULT_EXPECTED:
                self._note(self._line(*sections, key), f"{path}: {why}", "left-out")
        for key in self.data:
            if key not in SECTIONS and key not in UNNEEDED:
                self._note(place(self.data, key)[0], f"there is no counterpart of {key!r}", "left-out")

    def _note(self, line: int, text: str, kind: Any = "changed") -> None:
        self.notes.append(Note(line, text, kind))

    def _section(self, *names: str) -> Mapping[str, Any]:
        at: Any = self.data
        for name in names:
            at = at.get(name) if isinstance(at, Mapping) else None
        return at if isinstance(at, Mapping) else {}

    def _get(self, *path: str) -> Any:
        return self._section(*path[:-1]).get(path[-1])

    def _has(self, *path: str) -> bool:
        return path[-1] in self._section(*path[:-1])

    def _line(self, *path: str) -> int:
        return place(self._section(*path[:-1]), path[-1])[0] if self._has(*path) else 0


def _flow(value: Any) -> str:
    """Write a value as YAML in one line."""
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return str(value)
