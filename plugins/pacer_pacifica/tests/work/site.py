"""A spool with its job database, and a job's way through the tasks as the core runs them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack, closing
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from pacer_core import ConsumerType, Delivery
from pacer_core.testing import deliver, settled_context
from pacer_http import HttpClient
from pacer_pacifica import PACIFICA, Job, Pacifica, PacificaOptions
from pacer_pacifica.archive import PACIFICA_ARCHIVE, ArchiveOptions, FolderArchive, HttpArchive
from pacer_pacifica.ends.metadata import PACIFICA_METADATA, MetadataService
from pacer_pacifica.ends.policy import PACIFICA_POLICY, PolicyService
from pacer_pacifica.ends.uniqueid import UniqueId
from pacer_pacifica.integration import database_of, open_pacifica
from pacer_pacifica.jobs import MOVE, UPLOAD, UPLOAD_JOB, FileNumbers, OwnIds
from pacer_pacifica.messages import BUNDLES, MOVES, message_of
from pacer_pacifica.work.consumers import consumer_types
from pacer_pacifica.work.settled import note_dead


def consumer(name: str) -> ConsumerType:
    return next(one for one in consumer_types() if one.name == name)


class Site:
    """A facility in a folder: its spool, its jobs, and where its services are.

    ``on_disk`` makes its archive one of files, in the folder ``archive``.
    """

    def __init__(self, folder: Path, addresses: Mapping[str, str], *, on_disk: bool = False) -> None:
        self.folder, self.addresses = folder, addresses
        self.spool, self.archive = folder / "spool", folder / "archive"
        self._stack = ExitStack()
        self._on_disk = on_disk
        self.integrations: dict[Any, Any] = {}

    def __enter__(self) -> Site:
        self.spool.mkdir(exist_ok=True)
        self.archive.mkdir(exist_ok=True)
        opened = self._stack.enter_context(open_pacifica(PacificaOptions(str(self.spool))))
        self.pacifica = Pacifica(opened.jobs, FileNumbers(UniqueId(self.http("uniqueid"))), self.spool)
        self.jobs = opened.jobs
        options = PacificaOptions(str(self.spool))
        self.own_ids = OwnIds(self._stack.enter_context(closing(database_of(options))))
        self.integrations = {
            PACIFICA: self.pacifica,
            PACIFICA_POLICY: PolicyService(self.http("policy", "/ingest")),
        }
        self.catalogue_over_http()
        if self._on_disk:
            self.archive_on_disk()
        else:
            self.archive_over_http()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def http(self, service: str, path: str = "") -> HttpClient:
        address = f"{self.addresses[service]}{path}"
        client = HttpClient(service, address, timeout=timedelta(seconds=60), delays=(0, 0))
        return self._stack.enter_context(client)

    def catalogue_over_http(self) -> None:
        self.integrations[PACIFICA_METADATA] = MetadataService(self.http("metadata"))

    def archive_over_http(self, **options: Any) -> None:
        given = ArchiveOptions(url=self.addresses["archive"], **options)
        archive = self._stack.enter_context(HttpArchive(self.http("archive"), given))
        self.integrations[PACIFICA_ARCHIVE] = archive

    def archive_on_disk(self, move_from: tuple[str, ...] = ()) -> None:
        self.integrations[PACIFICA_ARCHIVE] = FolderArchive(self.archive, move_from)

    def upload(self, data: bytes, *, kind: str = UPLOAD, user: str = "ann") -> Job:
        """Have the service's work done: the body in the spool, and a job in the database."""
        name = f"{uuid4().hex}.{'moves' if kind == MOVE else 'bundle'}"
        (self.spool / name).write_bytes(data)
        number = self.own_ids.take(UPLOAD_JOB, 1)
        return self.jobs.create(number, kind, user=user, name=name, size=len(data))

    def work(
        self,
        job: Job,
        *,
        after: Delivery | None = None,
        twice: bool = False,
        options: Any = None,
        **more: Any,
    ) -> Delivery:
        """Send the message of a job's present attempt through the tasks."""
        name = MOVES if job.kind == MOVE else BUNDLES
        body, _ = message_of(self.jobs.get(job.id))
        type_ = consumer(name)
        given = {key: value for key, value in self.integrations.items() if value is not None}
        delivery = deliver(type_, body, integrations=given, options=options, after=after, twice=twice, **more)
        note_dead(delivery, settled_context(name, folder=self.folder / "settled", integrations=given))
        return delivery

    def end(self, job: Job) -> tuple[str, str, float]:
        """Give what an uploader is told of a job: state, task, percent."""
        now = self.jobs.get(job.id)
        return now.state, now.task, now.percent

    def stored(self) -> dict[str, bytes]:
        """Give what the archive on disk shows, by paths below ``jobs``."""
        jobs = self.archive / "jobs"
        return {str(path.relative_to(jobs)): path.read_bytes() for path in jobs.rglob("*") if path.is_file()}
