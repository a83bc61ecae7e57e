"""A whole sandbox: a catalogue and its server, for tests and scripts."""

from pathlib import Path
from types import TracebackType
from zoneinfo import ZoneInfo

from pacer_sandbox.catalogue import MAX_ENTITIES, Catalogue
from pacer_sandbox.misbehave import Misbehaviour
from pacer_sandbox.seed import seed as fill
from pacer_sandbox.server import REST_PATH, SOAP_PATH, Server
from pacer_sandbox.sessions import Accounts


class IcatSandbox:
    """An ICAT 6.2 of one's own, while the ``with`` block lasts.

    Args:
        data: a file to keep the data in; without one they are in memory.
        seed: what an empty catalogue begins with: ``"demo"``, or the path of a dump.
        port: where to listen; 0 takes a free port.
        zone: the server's time zone, for times without one and for answers.
        host: the address to listen on: this machine only, unless told otherwise.
        accounts: a YAML file of users; see ``pacer_sandbox.sessions.Accounts``.
        max_entities: how many entities an answer may have.
        triggers: whether the database keeps ``fileCount`` and ``fileSize``, as on a site that has installed
            the triggers that icat.server ships; a data file keeps what it has where this is ``None``.
    """

    def __init__(
        self,
        data: Path | str | None = None,
        seed: Path | str | None = None,
        port: int = 0,
        zone: str = "Europe/Berlin",
        *,
        host: str = "127.0.0.1",
        accounts: Path | str | None = None,
        max_entities: int = MAX_ENTITIES,
        triggers: bool | None = None,
    ) -> None:
        self._host, self._port = host, port
        self._in_memory = data is None
        self.catalogue = Catalogue(
            None if data is None else Path(data),
            accounts=Accounts.load(None if accounts is None else Path(accounts)),
            zone=ZoneInfo(zone),
            max_entities=max_entities,
        )
        try:
            if seed is not None and self.catalogue.is_empty():
                fill(self.catalogue, seed)
            if triggers is not None:
                self.catalogue.store.keep_counts(triggers)
            if self._in_memory:
                self.catalogue.store.keep()
        except BaseException:
            self.catalogue.close()
            raise
        self._server: Server | None = None

    def __enter__(self) -> "IcatSandbox":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self.catalogue.close()

    @property
    def url(self) -> str:
        """The base address, such as ``http://127.0.0.1:40123``."""
        if self._server is None:
            raise RuntimeError("the sandbox is not running: use it in a with block, or call start()")
        return self._server.url

    @property
    def wsdl(self) -> str:
        """What python-icat's ``Client`` takes as its URL."""
        return f"{self.url}{SOAP_PATH}?wsdl"

    @property
    def rest(self) -> str:
        """The base address of the REST interface."""
        return f"{self.url}{REST_PATH}"

    @property
    def misbehave(self) -> Misbehaviour:
        """What the sandbox does wrong, to be told so; and the calls that it has seen."""
        return self.catalogue.misbehave

    @property
    def triggers(self) -> bool:
        """Whether the database keeps ``fileCount`` and ``fileSize``; may be set, until ``reset``."""
        return self.catalogue.store.keeps_counts

    @triggers.setter
    def triggers(self, triggers: bool) -> None:
        self.catalogue.store.keep_counts(triggers)

    def start(self) -> None:
        """Begin to serve; again on the same port after ``stop``."""
        server = Server(self.catalogue, self._host, self._port)
        server.start()
        self._server, self._port = server, server.port

    def stop(self) -> None:
        """Cease to serve: connections are refused, the data stay."""
        if self._server is not None:
            self._server.stop()
            self._server = None

    def wait(self) -> None:
        """Serve until the server ends or an exception (Ctrl-C) arrives."""
        if self._server is not None:
            self._server.wait()

    def reset(self) -> None:
        """Be as at the start: the seed or nothing, behaving well; sessions and ids go on.

        Only for data in memory: what is in a file is kept.
        """
        if not self._in_memory:
            raise RuntimeError("reset() would destroy what the data file holds; delete the file instead")
        self.catalogue.store.reset()
        self.misbehave.clear()

    def expire_sessions(self) -> None:
        """End all sessions, as time does."""
        self.catalogue.sessions.expire_all()
