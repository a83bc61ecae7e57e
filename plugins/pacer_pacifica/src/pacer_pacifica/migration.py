"""Pacifica's own configuration, an INI file with ``[ingest]`` and its neighbours, becomes PACER's.

The keys and their defaults are those of pacifica-ingest 0.4.1.
"""

from __future__ import annotations

import re
from configparser import Error, RawConfigParser
from typing import Literal
from urllib.parse import unquote, urlsplit

from attrs import define, field

from pacer_core import ConfigMigration, Foreign, Migrated, Note, PacerError, Secret, yaml_text

_SECTION = re.compile(r"^\[(\w+)\]", re.MULTILINE)
_OURS = {"ingest", "uniqueid", "policy", "archiveinterface", "metadata", "database", "celery"}
_ALONE = {"uniqueid", "archiveinterface"}
"""Sections that no other program has."""
_KEY = re.compile(r"([A-Za-z_]\w*)\s*[=:]")
_SPOOL = "/var/lib/pacer/pacifica"
_ENDS = ("pacifica", "pacifica-policy", "pacifica-archive", "pacifica-metadata")
_DEFAULTS = {
    "uniqueid": "http://127.0.0.1:8051",
    "policy": "http://127.0.0.1:8181/ingest",
    "archiveinterface": "http://127.0.0.1:8080",
    "metadata": "http://127.0.0.1:8121/ingest",
}
_NEEDLESS = {
    ("ingest", "transfer_size"): "the service chooses it by itself",
    ("database", "connect_attempts"): "a database that is away is waited for",
    ("database", "connect_wait"): "a database that is away is waited for",
    ("celery", "backend_url"): "states are in the job database alone",
}


def recognises(foreign: Foreign) -> bool:
    """Tell whether a file is a configuration of Pacifica's, also where it has mistakes."""
    found = set(_SECTION.findall(foreign.text))
    return bool(found & _ALONE) or len(found & _OURS) > 2


def migrate(foreign: Foreign) -> Migrated:
    """Give PACER's configuration.

    Raises
    ------
    PacerError
        Where the file is no INI.
    """
    parser = RawConfigParser(strict=False)
    try:
        parser.read_string(foreign.text)
    except Error as error:
        said = error.message.splitlines()[0] if "line" in error.message else type(error).__name__
        raise PacerError(f"{foreign.file} is no INI file: {said}") from None
    return _Migration(parser, _lines(foreign.text)).result()


MIGRATION = ConfigMigration(name="Pacifica", recognises=recognises, migrate=migrate)


def _lines(text: str) -> dict[tuple[str, str], int]:
    """Give the line of each key, by section and name; ``""`` is a section's own."""
    found: dict[tuple[str, str], int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if (head := _SECTION.match(line)) is not None:
            section = head[1]
            found.setdefault((section, ""), number)
        elif (key := _KEY.match(line)) is not None:
            found[section, key[1].lower()] = number
    return found


_Kind = Literal["changed", "left-out", "to-do"]


@define
class _Migration:
    parser: RawConfigParser
    lines: dict[tuple[str, str], int]
    notes: list[Note] = field(factory=list)
    secrets: dict[str, Secret] = field(factory=dict)
    used: set[tuple[str, str]] = field(factory=set)

    def result(self) -> Migrated:
        """Write it all."""
        places = ", ".join(f"{name}: {value}" for name, value in self._places().items())
        text = f"""\
brokers:
  main: {{{", ".join(f"{name}: {value}" for name, value in self._broker().items())}}}

queues:
  - {{name: pacifica-bundles}}
  - {{name: pacifica-moves}}

consumers:
  - type: pacifica-bundles
    queues: [pacifica-bundles]
    integrations: [{", ".join(_ENDS)}]
  - type: pacifica-moves
    queues: [pacifica-moves]
    integrations: [{", ".join(_ENDS)}]

services:
  - type: pacifica
    options:
      {places.replace(", ", chr(10) + "      ")}
      bundles: pacifica-bundles
      moves: pacifica-moves
      authentication:
        proxy: {self._proxy()}

integrations:
  pacifica: {{{places}}}
{self._urls()}"""
        self._rest()
        return Migrated(text, notes=tuple(sorted(self.notes)), secrets=self.secrets)

    def _get(self, section: str, key: str) -> str:
        self.used.add((section, key))
        return self.parser.get(section, key, fallback="").strip()

    def _note(self, section: str, key: str, text: str, kind: _Kind = "changed") -> None:
        line = self.lines.get((section, key), self.lines.get((section, ""), 0))
        self.notes.append(Note(line, text, kind))

    def _broker(self) -> dict[str, str]:
        given = self._get("celery", "broker_url") or "pyamqp://"
        parts = urlsplit(given)
        if parts.scheme not in ("amqp", "pyamqp", "amqps", "librabbitmq"):
            self._note(
                "celery",
                "broker_url",
                f"a broker by {parts.scheme} is not taken over: write brokers.main",
                "to-do",
            )
            return {"host": "localhost"}
        found = {"host": yaml_text(parts.hostname or "localhost")}
        if parts.port is not None:
            found["port"] = str(parts.port)
        if parts.username is not None:
            found["username"] = yaml_text(unquote(parts.username))
        if parts.password is not None:
            self.secrets["broker"] = Secret(unquote(parts.password))
            found["password"] = "!secret broker"  # noqa: S105 - where one stands
        if len(parts.path) > 1:
            found["vHost"] = yaml_text(unquote(parts.path[1:]))
        self._note(
            "celery",
            "broker_url",
            "is brokers.main; jobs that Celery has in its queues end there first",
            "to-do",
        )
        return found

    def _places(self) -> dict[str, str]:
        spool = self._get("ingest", "volume_path")
        if not spool.startswith("/") or spool == "/":
            spool = _SPOOL
            self._note(
                "ingest", "volume_path", f"is spool, and no folder was named: {spool} it is now", "to-do"
            )
        found = {"spool": yaml_text(spool.rstrip("/"))}
        parts = urlsplit(self._get("database", "peewee_url"))
        if parts.scheme in ("postgresql", "postgres", "postgresqlext"):
            account = f"{parts.username}@" if parts.username else ""
            port = f":{parts.port}" if parts.port is not None else ""
            found["database"] = yaml_text(
                f"postgresql://{account}{parts.hostname or 'localhost'}{port}{parts.path}"
            )
            if parts.password is not None:
                self.secrets["database"] = Secret(unquote(parts.password))
                found["databasePassword"] = "!secret database"
            self._note(
                "database", "peewee_url", "PACER has tables of its own there; Pacifica's stay as they are"
            )
        elif parts.scheme:
            self._note(
                "database",
                "peewee_url",
                "the jobs are in jobs.sqlite in the spool; Pacifica's are not taken over",
            )
        found["uniqueIdUrl"] = yaml_text(self._url("uniqueid", "url"))
        return found

    def _url(self, section: str, key: str) -> str:
        """Give a service's address, or the one that Pacifica takes where none is given."""
        if url := self._get(section, key):
            return url
        self._note(
            section, key, f"was not given, and is what Pacifica takes then: {_DEFAULTS[section]}", "to-do"
        )
        return _DEFAULTS[section]

    def _proxy(self) -> str:
        header = self._get("ingest", "auth_header") or "X-Http-Authed-User"
        self._note(
            "ingest",
            "auth_header",
            "the header is believed from the addresses alone that the proxy has: write them there",
            "to-do",
        )
        if user := self._get("ingest", "default_user"):
            self._note(
                "ingest",
                "default_user",
                f"nobody comes in as {user} without a name any more: name users by proxy or tokens",
                "left-out",
            )
        return f"{{addresses: [127.0.0.1], header: {yaml_text(header)}}}"

    def _urls(self) -> str:
        policy, archive = self._url("policy", "ingest_url"), self._url("archiveinterface", "url")
        metadata = self._url("metadata", "ingest_url").rstrip("/").removesuffix("/ingest")
        moves = "/move moves files out of the folders alone that moveFrom of pacifica-archive names"
        self._note("archiveinterface", "url", moves, "to-do")
        self._note(
            "metadata", "ingest_url", "pacifica-metadata has the service's root: /ingest is added to it"
        )
        return f"""\
  pacifica-policy: {{url: {yaml_text(policy)}}}
  pacifica-archive: {{url: {yaml_text(archive)}}}
  pacifica-metadata: {{url: {yaml_text(metadata)}}}
"""

    def _rest(self) -> None:
        """Say what has no counterpart."""
        for section in self.parser.sections():
            for key in self.parser[section]:
                if (section, key) not in self.used:
                    why = _NEEDLESS.get((section, key), "has no counterpart")
                    self._note(section, key, f"{section}.{key}: {why}", "left-out")
