"""The YAML options of the service ``pacifica``."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

from attrs import field, frozen, validators

from pacer_core import Secret
from pacer_pacifica.options import is_database, is_folder
from pacer_pacifica.sizes import is_size

_POSITIVE = validators.gt(timedelta(0))


def _are_networks(_: Any, __: Any, addresses: tuple[str, ...]) -> None:
    if not addresses:
        raise ValueError("names no address: nobody's header would be believed")
    for one in addresses:
        try:
            ip_network(one)
        except ValueError:
            raise ValueError("should be addresses or networks, such as 10.1.2.3 or 10.1.0.0/16") from None


def _is_name(_: Any, __: Any, name: Any) -> None:
    if name is not None and not name.strip():
        raise ValueError("should be a name")


def _is_secret(_: Any, __: Any, secret: Secret) -> None:
    if not secret.reveal().strip():
        raise ValueError("is empty: whoever sends none would be let in")


def is_loopback(host: str) -> bool:
    """Say whether an address is one that only this host reaches."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@frozen
class Proxy:
    """A proxy in front, which has let its users in, and says who they are.

    Attributes
    ----------
    addresses
        Where it asks from: addresses or networks. The header of anybody else is not believed.
    header
        The header that names the user; the proxy has to drop what its clients put there.
    """

    addresses: tuple[str, ...] = field(validator=_are_networks)
    header: str = field(default="X-Http-Authed-User", validator=_is_name)

    @property
    def is_here(self) -> bool:
        """Whether it is on this host."""
        here = (ip_network("127.0.0.0/8"), ip_network("::1"))
        networks = [ip_network(one) for one in self.addresses]
        return any(one.version == two.version and one.overlaps(two) for one in networks for two in here)


@frozen
class Token:
    """A bearer token (``Authorization: Bearer ...``), and whom it stands for.

    Attributes
    ----------
    user
        Whom.
    token
        The secret.
    """

    user: str = field(validator=_is_name)
    token: Secret = field(validator=_is_secret)


@frozen
class Authentication:
    """Who may come in; without any of these, nobody.

    Attributes
    ----------
    proxy
        A proxy that names its users.
    tokens
        Bearer tokens.
    anonymous
        The user that whoever comes from this host itself is, without a word: for loopback alone.
    administrators
        Users who see, cancel and retry everybody's jobs, not only their own.
    """

    proxy: Proxy | None = None
    tokens: tuple[Token, ...] = ()
    anonymous: str | None = field(default=None, validator=_is_name)
    administrators: tuple[str, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse a door that nobody can come through."""
        if self.proxy is None and not self.tokens and self.anonymous is None:
            raise ValueError("lets nobody in: give proxy, tokens or anonymous")
        if self.anonymous is not None and self.proxy is not None and self.proxy.is_here:
            raise ValueError(
                "would make whoever comes through the proxy on this host without a name "
                f"{self.anonymous}: give proxy, or anonymous"
            )


@frozen
class Tls:
    """The service's certificate, where no proxy has one.

    Attributes
    ----------
    certificate
        A file (PEM) with the certificate and those that lead to it.
    key
        The file of its key (PEM).
    """

    certificate: str
    key: str


@frozen
class Limits:
    """How much comes in.

    Attributes
    ----------
    size
        How large a bundle may be.
    move_size
        How large the list of a ``/move`` may be.
    free
        How much room on the spool's disk is left alone: where there is less, uploads get 507.
    uploads
        How many uploads may be under way at once, in each process; further ones get 429.
    time
        How long one upload may take.
    idle
        How long nothing may come of an upload before it is given up.
    resume
        For how long an upload that broke off can be resumed (tus).
    """

    size: str = field(default="4TiB", validator=is_size)
    move_size: str = field(default="64MiB", validator=is_size)
    free: str = field(default="1GiB", validator=is_size)
    uploads: int = field(default=256, validator=validators.ge(1))
    time: timedelta = field(default=timedelta(days=1), validator=_POSITIVE)
    idle: timedelta = field(default=timedelta(seconds=60), validator=_POSITIVE)
    resume: timedelta = field(default=timedelta(days=7), validator=_POSITIVE)


@frozen
class Sweeping:
    """What becomes of jobs that nothing moves any more, and of those that have ended.

    Attributes
    ----------
    after
        When nothing has moved a job for so long, its message is sent again. Longer than the longest delay of
        the consumer's retries (6 h by default), or a message that waits is doubled, which does no harm.
    times
        How often; after that the job has failed.
    keep_failed
        For how long what a failed or cancelled job brought stays in the spool, for another attempt.
    keep_jobs
        For how long jobs that have ended stay in the database.
    """

    after: timedelta = field(default=timedelta(hours=8), validator=_POSITIVE)
    times: int = field(default=3, validator=validators.ge(1))
    keep_failed: timedelta = field(default=timedelta(days=30), validator=_POSITIVE)
    keep_jobs: timedelta = field(default=timedelta(days=3650), validator=_POSITIVE)


@frozen
class ServiceOptions:
    """A door for bundles over HTTP, in Pacifica's protocol and one of PACER's own.

    Attributes
    ----------
    spool
        The folder that uploads are written to; the consumers read them there.
    bundles
        The consumer, or the queue, that bundles are for.
    authentication
        Who may come in.
    moves
        The consumer, or the queue, for lists of files to be moved; without it there is no ``/move``.
    host, port
        Where it listens.
    database
        The jobs: a file for SQLite, or ``postgresql://ACCOUNT@HOST:PORT/DATABASE``; by default the file
        ``jobs.sqlite`` in the spool.
    database_password
        The password of PostgreSQL's account.
    unique_id_url
        Where Pacifica's uniqueid service answers; without it, numbers of jobs come from the job database.
    tls
        A certificate, where no proxy has one.
    limits
        How much comes in.
    sweep
        What becomes of jobs that nothing moves any more.
    """

    spool: str = field(validator=is_folder)
    bundles: str = field(validator=_is_name)
    authentication: Authentication
    moves: str | None = field(default=None, validator=_is_name)
    host: str = "127.0.0.1"
    port: int = field(default=8066, validator=[validators.ge(1), validators.le(65_535)])
    database: str | None = field(default=None, validator=is_database)
    database_password: Secret | None = None
    unique_id_url: str | None = None
    tls: Tls | None = None
    limits: Limits = Limits()
    sweep: Sweeping = Sweeping()

    def __attrs_post_init__(self) -> None:
        """Refuse to let everybody in from elsewhere."""
        if self.authentication.anonymous is not None and not is_loopback(self.host):
            raise ValueError(
                "authentication.anonymous is for loopback: listen on 127.0.0.1, or ask for proxy or tokens"
            )
