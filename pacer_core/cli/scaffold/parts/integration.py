"""An integration: an outside system, as it is begun."""

from __future__ import annotations

from pacer_core.cli.scaffold.parts.part import Part

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
