"""What commands share, those of plugins among them: the configuration that they are about."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pacer_core.model.errors import PacerError
from pacer_core.model.escapes import escaped
from pacer_core.model.json_output import dumps

if TYPE_CHECKING:
    import click

    from pacer_core.model.by_hand import BrokerAddress, BrokerByHand
    from pacer_core.model.messages import Context
    from pacer_core.model.services import Publication

DEFAULT = Path("pacer.yaml")
"""The configuration of a command that says nothing else."""
_FILE = "pacer.file"
BY_HAND = "pacer.by-hand"
"""Where the command line leaves what opens a consumer."""
PUBLISH = "pacer.publish"
"""Where the command line leaves what publishes."""
LOAD = "pacer.load"
"""Where the command line keeps what reads a configuration."""

C = TypeVar("C", bound="Callable[..., Any] | click.Command")


def config_option(command: C) -> C:
    """Give a click command the option ``--config``: its parameter ``file`` is the path of the configuration.

    Where PACER says which command helps, it names the same configuration.
    """
    import click  # here: a worker needs no commands

    return click.option(
        "--config",
        "-c",
        "file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=DEFAULT,
        show_default=True,
        envvar="PACER_CONFIG",
        show_envvar=True,
        help="The configuration file.",
        callback=_remember,
    )(command)


def _remember(ctx: click.Context, _: click.Parameter, value: Path) -> Path:
    ctx.meta[_FILE] = value
    return value


def say(*lines: str, err: bool = False) -> None:
    """Print lines to people: what others wrote is shown as it is, and controls no terminal."""
    import click  # here: a worker needs no commands

    for line in lines:
        click.echo(escaped(line), err=err)


def say_json(data: Any, *, indent: bool = False) -> None:
    """Print data to programs, in a line or indented; no character in it controls a terminal."""
    import click  # here: a worker needs no commands

    click.echo(dumps(data, indent=indent))


def service_options(ctx: click.Context, file: Path, type_: str) -> Mapping[str, Any]:
    """Give the options of a configuration's services of a type, by the names of the services.

    For a plugin's command that is about its service, and runs as a command of ``pacer``.

    Raises
    ------
    PacerError
        With every problem of the file, where one of them is an error; or where ``pacer`` has not begun it.
    """
    config = _left_by_pacer(ctx, LOAD)(file)
    return {one.name: one.options for one in config.services if one.type.name == type_}


def given_config(ctx: click.Context) -> Path:
    """Give the path that a command was given, or any other command that has called it."""
    file: Path = ctx.meta.get(_FILE, DEFAULT)
    return file


def consumer_by_hand(
    ctx: click.Context, file: Path, consumer_type: str, name: str | None = None
) -> AbstractContextManager[Context]:
    """Give what the tasks of a configured consumer see, for a command that does their work by hand.

    Inside the ``with`` its options and integrations are those of the configuration; there is no message, and
    what is emitted goes nowhere.

    Parameters
    ----------
    ctx
        The command's context.
    file
        The configuration.
    consumer_type
        The consumer type; there has to be one consumer of it.
    name
        Which one, where there are several.

    Raises
    ------
    PacerError
        Where the configuration is wrong, or there is no such consumer, or more than one; or where ``pacer``
        has not begun it.
    """
    opened: AbstractContextManager[Context] = _left_by_pacer(ctx, BY_HAND)(file, consumer_type, name)
    return opened


def broker_by_hand(where: Path | BrokerAddress) -> BrokerByHand:
    """Give the broker of a configuration, or at an address, to a program in which people act: a web page.

    For processes that no command of ``pacer`` has started as well.

    Raises
    ------
    PacerError
        With every problem of the configuration, where one of them is an error; and where its broker is seen
        by one process only.
    """
    # By its name: the room that speaks with brokers is above this one, which no import may look up to.
    opened: BrokerByHand = import_module("pacer_core.transport.by_hand").opened(where)
    return opened


def publish(ctx: click.Context, file: Path, publications: Sequence[Publication]) -> list[str]:
    """Publish messages for consumers or queues of a configuration; return when the broker has confirmed all.

    For a plugin's command, which runs as a command of ``pacer``. What a publication says of ``dead`` is for
    services alone.

    Returns
    -------
    list
        The correlation id of each, by which ``pacer trace`` and the log tell what becomes of it.

    Raises
    ------
    click.UsageError
        Where there is no consumer or queue of a name; nothing is sent then.
    BrokerError
        Where the broker cannot be reached, or does not take a message: the others have been published.
    PacerError
        Where the configuration is wrong, or where ``pacer`` has not begun it.
    """
    confirmed: list[str] = _left_by_pacer(ctx, PUBLISH)(file, publications)
    return confirmed


def _left_by_pacer(ctx: click.Context, name: str) -> Callable[..., Any]:
    """Give what the command line has left for its commands; another program leaves nothing."""
    meta = ctx.find_root().meta
    if name not in meta:
        raise PacerError(
            f"`{ctx.command_path}` needs the command line of PACER: return the command from the hook "
            f"pacer_commands, and call it as `pacer {ctx.info_name}`"
        )
    left: Callable[..., Any] = meta[name]
    return left
