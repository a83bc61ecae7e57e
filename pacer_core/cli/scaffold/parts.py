"""The parts that a plugin may have: a module, the lines that register it, and a test of it."""

from __future__ import annotations

from attrs import frozen


@frozen
class Part:
    """One part: ``$package``, ``$type``, ``$snake`` and ``$Message`` in it are the plugin's own names.

    ``imports`` are lines of ``plugin.py``, and ``hook`` is what it registers the part by.
    """

    module: str
    source: str
    imports: tuple[str, ...]
    hook: str
    test: str
    about: str


CONSUMER = Part(
    "$snake",
    '''"""The consumer type ``$type``: its message, its options, and the task that handles a message.$was"""

from __future__ import annotations

from attrs import frozen

from pacer_core import BadField, ConsumerType, Context, Planned, Reject, Text, task


@frozen
class $Message:
    """A message; each field is one of the body, and ``Text`` is one that is not empty."""

    name: Text
    number: int = 0


@frozen
class ${Message}Options:
    """The YAML options of a consumer of type ``$type``.

    Attributes
    ----------
    largest_number
        The largest number that is accepted; in YAML it is ``largestNumber``.
    """

    largest_number: int = 1000


def foresee_$snake(message: $Message, ctx: Context) -> list[Planned]:
    """Say for ``pacer plan`` what `handle_$snake` would do; it reads, and writes nothing."""
    options: ${Message}Options = ctx.options
    if message.number > options.largest_number:
        bad = BadField("number", f"is more than {options.largest_number}")
        raise Reject("the message has bad fields", fields=[bad])
    return [Planned(f"$type {message.name!r}", "new")]


@task(plan=foresee_$snake)
def handle_$snake(message: $Message, ctx: Context) -> None:
    """Do the work of a message. It may come twice, so doing it twice has to be the same as once."""
    for planned in foresee_$snake(message, ctx):
        ctx.log.info("%s is %s", planned.what, planned.change)


def describe(message: $Message) -> dict[str, str]:
    """Give the identifiers by which people look for a message."""
    return {"name": message.name}


$CONSTANT = ConsumerType(
    name="$type",
    message=$Message,
    tasks=[handle_$snake],
    options=${Message}Options,
    describe=describe,
)
''',
    ("from pacer_core import ConsumerType", "from $package.$snake import $CONSTANT"),
    "consumers: $CONSTANT",
    '''"""The consumer type ``$type``."""

from __future__ import annotations

from $package.$snake import $CONSTANT, ${Message}Options
from pacer_core import Outcome
from pacer_core.testing import deliver


def test_a_message_is_handled_twice_as_once() -> None:
    assert deliver($CONSTANT, '{"name": "a", "number": 7}', twice=True).outcome is Outcome.ACKED


def test_a_message_that_is_wrong_is_dead_with_its_bad_fields() -> None:
    delivery = deliver($CONSTANT, '{"name": ""}')
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.failures[0].fields] == ["name"]


def test_options_are_kept() -> None:
    options = ${Message}Options(largest_number=5)
    assert deliver($CONSTANT, '{"name": "a", "number": 6}', options=options).outcome is Outcome.DEAD
''',
    "a kind of message, its options, and what is done with one",
)

TASK = Part(
    "joined",
    '''"""A task that joins the consumer type of another plugin: it runs beside that one's own tasks."""

from __future__ import annotations

from typing import Any

from pacer_core import Context, task

JOINED = "forward"
"""The consumer type that it joins: one that another plugin brings, such as ``datasets``."""


@task
def note_message(message: Any, ctx: Context) -> None:
    """Note that a message came; ``after=["store_dataset"]`` would have it wait for another task."""
    ctx.log.info("a message of %s came", JOINED)
''',
    ("from pacer_core import Task", "from $package.joined import JOINED, note_message"),
    "tasks: note_message",
    '''"""The task that joins another plugin's consumer type."""

from __future__ import annotations

from $package.joined import JOINED, note_message
from $package.plugin import pacer_tasks
from pacer_core.testing import run_task


def test_it_joins_one_consumer_type_and_no_other() -> None:
    assert list(pacer_tasks(JOINED)) == [note_message]
    assert list(pacer_tasks("another")) == []


def test_it_may_run_twice() -> None:
    assert run_task(note_message, object(), twice=True) is None
''',
    "a step of another plugin's consumer type",
)

PARSER = Part(
    "parser",
    '''"""Reads bodies of CSV: a line of names and a line of values."""

from __future__ import annotations

import csv
import io
from typing import Any

from pacer_core import ConsumerType, Envelope, Reject, structured


def read_csv(envelope: Envelope, consumer: ConsumerType) -> Any:
    """Give the message of a CSV body; ``None`` of anything else, which the next plugin is asked about."""
    if consumer.message is None or envelope.content_type != "text/csv":
        return None
    try:
        rows = list(csv.DictReader(io.StringIO(envelope.body.decode(), newline="")))
    except (UnicodeDecodeError, csv.Error):
        raise Reject("the body is not CSV in UTF-8") from None
    if len(rows) != 1:
        raise Reject(f"the body should have one line below that of the names, not {len(rows)}")
    return structured(rows[0], consumer.message)
''',
    (
        "from typing import Any",
        "from pacer_core import ConsumerType, Envelope",
        "from $package.parser import read_csv",
    ),
    "parse: read_csv",
    '''"""Bodies of CSV."""

from __future__ import annotations

from attrs import frozen

from $package.plugin import pacer_parse_message
from pacer_core import ConsumerType, Outcome, Text
from pacer_core.testing import deliver


@frozen
class Row:
    name: Text
    number: int = 0


ROWS = ConsumerType(name="rows", message=Row, tasks=[])


def test_a_line_of_values_is_a_message() -> None:
    body = "name,number\\nab,7\\n"
    delivery = deliver(ROWS, body, content_type="text/csv", parse=pacer_parse_message)
    assert delivery.message == Row(Text("ab"), 7)


def test_bad_fields_are_named() -> None:
    body = "name,number\\n,many\\n"
    delivery = deliver(ROWS, body, content_type="text/csv", parse=pacer_parse_message)
    assert delivery.outcome is Outcome.DEAD
    assert [bad.path for bad in delivery.failures[0].fields] == ["name", "number"]


def test_other_bodies_are_left_to_others() -> None:
    assert deliver(ROWS, '{"name": "ab"}', parse=pacer_parse_message).message == Row(Text("ab"))
''',
    "bodies in a format of the facility's own",
)

ROUTER = Part(
    "router",
    '''"""Picks the brokers that a message is forwarded to, by what is in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pacer_core import Envelope, Route

PRIVATE = "x-private"
"""The header by which a publisher says that a message stays here."""


def stay_private(message: Any, envelope: Envelope, routes: Sequence[Route]) -> Sequence[Route] | None:
    """Give no route to a private message, and have no opinion about others."""
    return () if envelope.headers.get(PRIVATE) else None
''',
    (
        "from collections.abc import Sequence",
        "from typing import Any",
        "from pacer_core import Envelope, Route",
        "from $package.router import stay_private",
    ),
    "route: stay_private",
    '''"""Messages that stay here."""

from __future__ import annotations

from $package.router import PRIVATE, stay_private
from pacer_core import Envelope, Route


def test_a_private_message_takes_no_route_and_others_are_left_to_the_rules() -> None:
    private = Envelope(b"", queue="q", correlation_id="1", headers={PRIVATE: True})
    routes = [Route("there", "user-office")]
    assert stay_private(None, private, routes) == ()
    assert stay_private(None, Envelope(b"", queue="q", correlation_id="2"), routes) is None
''',
    "which messages go to other brokers",
)

INTEGRATION = Part(
    "register",
    '''"""An outside system: a register in a folder, and the integration by which tasks reach it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import field, frozen

from pacer_core import IntegrationType, PacerError, Retry


def _is_absolute(_: object, __: object, path: str) -> None:
    if not Path(path).is_absolute():
        raise ValueError("should be a folder with its whole path, from / on")


@frozen
class RegisterOptions:
    """The YAML options of the integration ``$integration``.

    Attributes
    ----------
    folder
        Where the register is.
    """

    folder: str = field(validator=_is_absolute)


@frozen
class Register:
    """The client: what `ctx[REGISTER]` gives a task."""

    folder: Path

    def note(self, name: str, text: str) -> None:
        """Write an entry, over the one that is there.

        Raises
        ------
        Retry
            Where the folder is away.
        """
        try:
            (self.folder / name).write_text(text)
        except OSError as error:
            raise Retry(f"the register cannot be written: {error.strerror}") from error


@contextmanager
def open_register(options: RegisterOptions) -> Iterator[Register]:
    """Open the register for a worker, and close it when the worker ends."""
    yield Register(Path(options.folder))


def check(register: Register) -> None:
    """Look, for ``pacer doctor``, whether it is there."""
    if not register.folder.is_dir():
        raise PacerError(f"{register.folder} is not there: make it, or correct 'folder'")


REGISTER: IntegrationType[Register] = IntegrationType(
    name="$integration", options=RegisterOptions, open=open_register, check=check
)
''',
    (
        "from typing import Any",
        "from pacer_core import IntegrationType",
        "from $package.register import REGISTER",
    ),
    "integrations: REGISTER",
    '''"""The integration ``$integration``."""

from __future__ import annotations

from pathlib import Path

import pytest

from $package.register import REGISTER, RegisterOptions, check, open_register
from pacer_core import Context, PacerError, Retry, task
from pacer_core.testing import run_task


@task(needs=[REGISTER])
def note(message: str, ctx: Context) -> None:
    ctx[REGISTER].note("entry", message)


def test_a_task_writes_into_it(tmp_path: Path) -> None:
    with open_register(RegisterOptions(str(tmp_path))) as register:
        check(register)
        assert run_task(note, "text", integrations={REGISTER: register}) is None
    assert (tmp_path / "entry").read_text() == "text"


def test_one_that_is_away_is_tried_again_and_the_doctor_says_so(tmp_path: Path) -> None:
    with open_register(RegisterOptions(str(tmp_path / "away"))) as register:
        assert isinstance(run_task(note, "text", integrations={REGISTER: register}), Retry)
        with pytest.raises(PacerError, match="is not there"):
            check(register)


def test_a_folder_has_its_whole_path() -> None:
    with pytest.raises(ValueError, match="whole path"):
        RegisterOptions("here")
''',
    "an outside system that tasks use",
)

SERVICE = Part(
    "ticker",
    '''"""A service: a process that makes messages of something else, here of the clock."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from attrs import frozen

from pacer_core import ServiceContext, ServiceType


@frozen
class TickerOptions:
    """The YAML options of the service ``$service``.

    Attributes
    ----------
    to
        The consumer, or the queue, that messages are for.
    seconds
        How many pass between two of them.
    """

    to: str
    seconds: float = 60.0


def run(ctx: ServiceContext) -> None:
    """Publish the time again and again, until it is told to end. Publishing waits for the confirm."""
    options: TickerOptions = ctx.options
    ctx.ready()
    while not ctx.stopping.wait(options.seconds):
        body = json.dumps({"name": datetime.now(UTC).isoformat()})
        ctx.publish(options.to, body.encode())


def destinations(options: TickerOptions) -> list[str]:
    """Say where messages go, for ``pacer config check``."""
    return [options.to]


TICKER = ServiceType(name="$service", options=TickerOptions, run=run, publishes=destinations)
''',
    ("from pacer_core import ServiceType", "from $package.ticker import TICKER"),
    "services: TICKER",
    '''"""The service ``$service``."""

from __future__ import annotations

from pathlib import Path

from $package.ticker import TICKER, TickerOptions
from pacer_core.testing import FakeService


def test_it_publishes_until_it_is_told_to_end(tmp_path: Path) -> None:
    service = FakeService(TICKER, folder=tmp_path, options=TickerOptions("somebody", seconds=0.01))
    service.run(until=lambda: len(service.published) >= 2)
    assert {one.to for one in service.published} == {"somebody"}
''',
    "a process that makes messages of something else",
)

COMMAND = Part(
    "command",
    '''"""A command of ``pacer``: it is about a configuration, as ``config_option`` says."""

from __future__ import annotations

from pathlib import Path

import click

from pacer_core import config_option


@click.command(name="$command", short_help="Say which configuration this is about.")
@config_option
def command(file: Path) -> None:
    """Say which configuration this is about."""
    click.echo(f"this is about {file}")
''',
    ("import click", "from $package.command import command"),
    "commands: command",
    '''"""The command ``pacer $command``."""

from __future__ import annotations

from click.testing import CliRunner

from $package.command import command


def test_it_says_which_configuration_it_is_about() -> None:
    done = CliRunner().invoke(command, ["-c", "there.yaml"])
    assert (done.exit_code, done.output) == (0, "this is about there.yaml\\n")
''',
    "a command of `pacer`",
)

PARTS = {
    "consumer": CONSUMER,
    "task": TASK,
    "parser": PARSER,
    "router": ROUTER,
    "integration": INTEGRATION,
    "service": SERVICE,
    "command": COMMAND,
}
