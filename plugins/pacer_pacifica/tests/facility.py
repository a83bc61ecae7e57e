"""A whole facility: `pacer run` with the service and both consumers, a broker, and the four stand-ins."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import httpx
from attrs import define

from pacer_pacifica.jobs import Database, Jobs
from pacer_pacifica.testing import PacificaServices
from tests.services.base import free_port
from tests.support import Running, Site, eventually

TOKEN = "alices-token"
CONFIG = """
brokers:
  main: {broker}
queues: [{{name: bundles}}, {{name: moves}}]
consumers:
  - {{type: pacifica-bundles, queues: [bundles], retries: {{factor: 1}}, integrations: &ends
      [pacifica, pacifica-policy, pacifica-archive, pacifica-metadata]}}
  - {{type: pacifica-moves, queues: [moves], retries: {{factor: 1}}, integrations: *ends}}
services:
  - type: pacifica
    options:
      {places}
      port: {port}
      bundles: bundles
      moves: moves
      authentication: {{tokens: [{{user: alice, token: {token}}}]}}
integrations:
  pacifica: {{{places_flow}}}
  pacifica-policy: {{url: {services}/policy/ingest}}
  pacifica-archive: {archive}
  pacifica-metadata: {{url: {services}/metadata}}
logging: {{logLevel: INFO}}
health: {{enabled: false}}
processes: {{stateFolder: {state}, shutdownGrace: 10s}}
"""


@define
class Facility:
    """A facility; ``database`` is where its jobs are."""

    site: Site
    folder: Path
    services: PacificaServices
    port: int
    database: str
    client: httpx.Client

    @classmethod
    def make(
        cls,
        site: Site,
        broker: str,
        folder: Path,
        services: PacificaServices,
        database: str | None = None,
        **more: str,
    ) -> Facility:
        """Write its configuration; ``broker`` is YAML, ``more`` are further options of the service."""
        port, spool = free_port(), folder / "spool"
        places = {"spool": str(spool), "uniqueIdUrl": f"{services.url}/uniqueid"}
        if database is not None:
            places["database"] = database
        client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60
        )
        archive = {"url": f"{services.url}/archive", "moveFrom": [str(folder)]}
        text = CONFIG.format(
            broker=broker,
            places="\n      ".join(f"{name}: {value}" for name, value in (places | more).items()),
            places_flow=", ".join(f"{name}: {json.dumps(value)}" for name, value in places.items()),
            port=port,
            token=TOKEN,
            services=services.url,
            archive=json.dumps(archive),
            state=folder / "state",
        )
        (folder / "pacer.yaml").write_text(text)
        return cls(site, folder, services, port, database or f"{spool}/jobs.sqlite", client)

    @property
    def file(self) -> Path:
        """Its configuration."""
        return self.folder / "pacer.yaml"

    def run(self) -> Running:
        """Start PACER, and wait until the service answers."""
        running = self.site.start("run", "-c", self.file)
        self.wait_until_it_answers(running)
        return running

    def wait_until_it_answers(self, running: Running) -> None:
        """Wait until the service answers."""
        eventually(self.answers, 90, lambda: running.printed)

    def answers(self) -> bool:
        """Say whether the service answers."""
        try:
            return self.client.get("/").status_code == 200
        except httpx.TransportError:
            return False

    def upload(self, body: bytes, path: str = "/upload") -> int:
        """Upload a bundle; give its job."""
        answer = self.client.post(path, content=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["job_id"])

    def move(self, rows: Any) -> int:
        """Have files moved; give the job."""
        answer = self.client.post("/move", json=rows)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["job_id"])

    def end_of(self, job_id: int, seconds: float = 90) -> tuple[str, str, str]:
        """Wait until a job has ended; give its state, task and percent, as a client reads them."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                job = self.client.get("/get_state", params={"job_id": job_id}).json()
            except httpx.TransportError:  # it is being started again
                job = {}
            if job.get("complete"):
                return job["state"], job["task"], job["task_percent"]
            assert time.monotonic() < deadline, f"job {job_id} has not ended: {job}"
            time.sleep(0.1)

    @property
    def jobs(self) -> Jobs:
        """The jobs."""
        return Jobs(Database(self.database))

    def spooled(self) -> list[str]:
        """Give what is in the spool."""
        spool = self.folder / "spool"
        found = [f"{one.relative_to(spool)}" for one in spool.rglob("*") if one.is_file()]
        return sorted(one for one in found if not one.startswith("jobs.sqlite"))
