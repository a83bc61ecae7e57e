"""``pacer config migrate``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
from attrs import asdict

from pacer_core.cli.console import echo
from pacer_core.cli.scaffold import Consumer, begin
from pacer_core.config import Problem
from pacer_core.config import check as check_config
from pacer_core.model.errors import PacerError
from pacer_core.model.json_output import dumps
from pacer_core.model.migrations import (
    SECRET,
    ConfigMigration,
    Foreign,
    Migrated,
    Note,
    UnknownConsumer,
    yaml_text,
)
from pacer_core.model.private_files import make_folder, private
from pacer_core.model.secrets import Secret, redact
from pacer_core.model.suggestions import hint
from pacer_core.model.wording import counted
from pacer_core.plugins import load

_SHORTEST = 4
"""Characters: a secret of fewer is found in many a word."""


@click.command(short_help="Turn a configuration of another program into ours.")
@click.argument("old", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", "-o", type=click.Path(dir_okay=False, path_type=Path), help="Write it into a file.")
@click.option(
    "--secrets",
    type=click.Path(file_okay=False, path_type=Path),
    help="Write each secret into a file of its own in this folder, and only the file's name into the YAML.",
)
@click.option("--from", "program", help="The program that OLD belongs to, where that cannot be told.")
@click.option(
    "--plugin",
    type=click.Path(file_okay=False, path_type=Path),
    help="Begin a plugin in this folder for the consumers that OLD has of its own; with --output, by default "
    "facility-pacer beside it.",
)
@click.option("--force", is_flag=True, help="Write over files that are there.")
@click.option("--json", "as_json", is_flag=True, help="Print what has changed as JSON; needs --output.")
@click.pass_context
def migrate(
    ctx: click.Context,
    old: Path,
    output: Path | None,
    secrets: Path | None,
    program: str | None,
    plugin: Path | None,
    *,
    force: bool,
    as_json: bool,
) -> None:
    """Turn OLD, the configuration of another program, into one of PACER's.

    Order and comments stay. Everything that is said in other words, is left out or is left to you is told on
    standard error, with the line of OLD that it was in. OLD stays as it is.

    Without --output it goes to standard output. With it, it is looked at as `pacer config check` does; the
    exit code is 1 where that finds errors, which are what is left to do.
    """
    if as_json and output is None:
        raise click.UsageError("--json needs --output: there is one standard output")
    foreign = Foreign(old, _text(old))
    made = _migration(foreign, program).migrate(foreign)
    files = _secret_files(made, secrets)
    folder = (output or Path("pacer.yaml")).parent
    text = SECRET.sub(lambda match: _written(match[1], made, files, folder), made.text)
    notes = [*made.notes, *_left_behind(text, made.secrets if files else {})]
    notes.sort(key=lambda note: (note.kind == "to-do", note.line, note.text))
    if output is not None and not force:
        _refuse_others((output, *files.values()))
    for name, path in files.items():
        make_folder(path.parent)
        _write(path, made.secrets[name].reveal() + "\n")
    if made.unknown and (plugin is not None or output is not None):
        notes.append(_begun(plugin or folder / "facility-pacer", made.unknown))
    if output is None:
        echo(text.removesuffix("\n"))
    else:
        _write(output, text)
    problems = [] if output is None else check_config(output)[1]
    if as_json:
        data = {"notes": [asdict(one) for one in notes], "problems": [str(one) for one in problems]}
        sys.stdout.buffer.write(dumps(data, indent=True) + b"\n")
    else:
        _tell(old, output, notes, files, problems)
    ctx.exit(1 if any(one.severity == "error" for one in problems) else 0)


def _begun(folder: Path, unknown: Iterable[UnknownConsumer]) -> Note:
    """Begin a plugin for consumers without a type; one that is there already stays as it is."""
    types = ", ".join(one.consumer_type for one in unknown)
    if folder.exists() and any(folder.iterdir()):
        return Note(0, f"{folder} is there already: it has to bring {types}", "to-do")
    begun = begin(folder.absolute(), (), [Consumer(one.consumer_type, one.was) for one in unknown])
    told = f"begun for {types} ({counted(len(begun), 'file')}): write it, and `pip install` it"
    return Note(0, f"{folder}: {told}", "to-do")


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        raise PacerError(f"{path} is not UTF-8 text: save it as UTF-8") from None
    except OSError as error:
        raise PacerError(f"{path} cannot be read: {error.strerror or type(error).__name__}") from None


def _migration(foreign: Foreign, program: str | None) -> ConfigMigration:
    """Give the one that reads this configuration."""
    known = load().migrations
    if program is not None:
        named = {name.casefold(): one for name, one in known.items()}
        if (one := named.get(program.casefold())) is None:
            raise PacerError(f"no plugin reads configurations of {program!r}{hint(program, known)}")
        return one
    found = [one for one in known.values() if one.recognises(foreign)]
    if len(found) == 1:
        return found[0]
    names = ", ".join(one.name for one in found or known.values()) or "none: no installed plugin reads any"
    if found:
        raise PacerError(f"{foreign.file} may be a configuration of {names}: say which with --from")
    raise PacerError(
        f"{foreign.file} is not recognised as a configuration of another program (there are: {names}); say "
        f"--from NAME where it is one"
    )


def _secret_files(made: Migrated, folder: Path | None) -> Mapping[str, Path]:
    return {} if folder is None else {name: folder / name for name in made.secrets}


def _written(name: str, made: Migrated, files: Mapping[str, Path], folder: Path) -> str:
    """Give what stands in the YAML for a secret: the file's name, or the secret itself."""
    if name in files:
        return f"!file {_quoted(os.path.relpath(files[name], folder))}"
    return _quoted(made.secrets[name].reveal(), always=True)


def _quoted(text: str, *, always: bool = False) -> str:
    """Write a text as YAML."""
    plain = not always and all(one.isalnum() or one in "/._-" for one in text)
    return text if plain else yaml_text(text)


def _left_behind(text: str, secrets: Mapping[str, Secret]) -> Iterable[Note]:
    """Note each secret that was moved out and still stands somewhere: in a comment, or under another key."""
    for name, secret in secrets.items():
        value = secret.reveal()
        for number, line in enumerate(text.splitlines(), 1) if len(value) >= _SHORTEST else ():
            if value in line:
                told = f"line {number} of the new file still holds what was moved into {name}: take it out"
                yield Note(0, told, "to-do")


def _refuse_others(paths: Iterable[Path]) -> None:
    if there := [str(one) for one in paths if one.exists()]:
        raise PacerError(f"{', '.join(there)} exists already: name another one, or say --force")


def _write(path: Path, text: str) -> None:
    """Write a file that nobody but its owner reads: it may hold secrets."""
    try:
        with open(path, "w", encoding="utf-8", opener=private) as file:
            file.write(text)
    except OSError as error:
        raise PacerError(f"{path} cannot be written: {error.strerror or type(error).__name__}") from None


_WORDS = {"changed": "changed", "left-out": "left out", "to-do": "to do"}


def _tell(
    old: Path,
    output: Path | None,
    notes: Iterable[Note],
    files: Mapping[str, Path],
    problems: Iterable[Problem],
) -> None:
    for note in notes:
        where = f"{old}:{note.line}" if note.line else str(old)
        echo(redact(f"{where}: {_WORDS[note.kind]}: {note.text}"), err=True)
    for path in files.values():
        echo(f"{path}: written, for its owner alone", err=True)
    if output is None:
        return
    echo(f"{output}: written", err=True)
    problems = list(problems)
    for problem in problems:
        click.secho(str(problem), fg="yellow" if problem.severity == "warning" else "red", err=True)
    errors = sum(one.severity == "error" for one in problems)
    told = f"has {counted(errors, 'error')}: they are left to you" if errors else "can be run"
    echo(f"{output} {told}", err=True)
