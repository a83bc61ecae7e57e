"""Logs: whole lines in one file from many processes, in two formats, and no secret in any."""

from __future__ import annotations

import itertools
import json
import logging
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pacer_core.config import check
from pacer_core.config.sections import camel
from pacer_core.model.errors import PacerError
from pacer_core.model.identifiers import identifiers
from pacer_core.observe.logs import correlation_id
from pacer_core.observe.logs.formats import Ecs, Plain
from pacer_core.observe.logs.reading import read
from pacer_core.observe.logs.writers import SharedFile
from tests.support import Site, _logging_kept, eventually

CANARY = "c4n4ry-p@ss word/%\"'\\x"
SIGHTINGS = re.compile(r"c4n4ry")

# Everything that PACER, a library or Python itself may write about a secret.
SCRIPT = """
import logging, sys, threading, warnings
from contextlib import suppress
from pacer_core import Secret
from pacer_core.config.model import Logging, LogConsole, LogFile
from pacer_core.observe.logs import set_up_run

form, path, canary = sys.argv[1:]
set_up_run(Logging("DEBUG", LogConsole(format=form), LogFile(True, path, form)))
secret = Secret(canary)
log, library = logging.getLogger("pacer.test"), logging.getLogger("library")
for level in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL):
    log.log(level, "one %s and %r and %s", canary, canary, secret)
    library.log(level, "url=https://user:%s@host", canary)
log.info({"password": canary})
log.info("%(password)s", {"password": canary})
try:
    try:
        raise ValueError(canary)
    except ValueError as error:
        raise RuntimeError(f"for {canary!r}") from error
except RuntimeError:
    log.exception("it failed: %s", canary)
    library.warning("so it did", exc_info=True, stack_info=True)
log.info("too few %s %s", canary)        # a mistake in a plugin: logging itself complains
log.info("no number: %d", canary)
class Silent:
    def __str__(self): raise ValueError(canary)
log.info("%s", Silent())
warnings.warn(f"deprecated: {canary}")
with suppress(KeyError):
    raise KeyError(canary)
def fail():
    raise OSError(canary)
thread = threading.Thread(target=fail, name=canary)
thread.start()
thread.join()
raise LookupError(canary)
"""


def run_script(script: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("form", ["plain", "json"])
def test_no_handler_and_no_format_writes_a_secret(form: str, tmp_path: Path) -> None:
    file = tmp_path / "pacer.log"
    ran = run_script(SCRIPT, form, file, CANARY)
    written = file.read_text()
    for text in (ran.stdout, ran.stderr, written):
        assert not SIGHTINGS.search(text), text
    assert written.count("***") >= 20
    for expected in ("it failed", "deprecated", "nobody has caught an exception", "LookupError", "OSError"):
        assert expected in written
        assert expected in ran.stderr
    assert ran.stderr.count("could not be written (") == 2 * 3  # by both handlers, and without the arguments
    assert ran.returncode == 1


@pytest.fixture
def handler(tmp_path: Path) -> Iterator[SharedFile]:
    handler = SharedFile(tmp_path / "pacer.log")
    handler.setFormatter(Ecs(full=True))
    yield handler
    handler.close()


def record(message: str, **more: Any) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "pacer.test", "levelno": 20, "levelname": "INFO", "msg": message} | more
    )


def test_json_lines_are_of_the_elastic_common_schema(handler: SharedFile, tmp_path: Path) -> None:
    try:
        raise ValueError("broken\nin two")
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    handler.handle(record("one\nline", correlation_id="3a-7", exc_info=info))
    handler.handle(record("half a character: \udcff"))
    first, second = map(json.loads, (tmp_path / "pacer.log").read_text().splitlines())
    assert list(first)[:4] == ["@timestamp", "log.level", "message", "ecs.version"]
    assert datetime.fromisoformat(first["@timestamp"]).utcoffset() is not None
    assert (first["log.level"], first["message"]) == ("info", "one\nline")
    assert first["labels"] == {"correlation_id": "3a-7"}
    assert first["log"]["logger"] == "pacer.test"
    assert first["service"]["name"] == "pacer"
    assert first["process"]["pid"] > 0
    assert (first["error"]["type"], first["error"]["message"]) == ("ValueError", "broken\nin two")
    assert first["error"]["stack_trace"].startswith("Traceback")
    assert second["message"] == "half a character: \\udcff"
    assert "error" not in second
    assert "labels" not in second


NASTY = [
    "a\n2026-03-14 09:26:53,589 INFO 1 pacer.settle: samples: done in 1.0 ms; dataset=x [c-7]",
    "a\r\n<0>b",
    "a\x0bb\x0cc\x1cd\x1de\x1ef",
    "\x1b[2J\x1b]0;title\x07",
    "\x9b31mred\x85next",
    "a\u2028b\u2029c",
    "\u202eevil\u2066\u200b\u061c",
    "half \udcff and \U000e0041",
    "a\tb\x00c\x7fd",
]


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("kind", [Plain, Ecs])
def test_what_others_say_begins_no_line_and_controls_no_terminal(
    kind: type[Plain | Ecs], full: bool, text: str
) -> None:
    try:
        try:
            raise PacerError(text)
        except PacerError as cause:
            raise ValueError(text) from cause
    except ValueError as error:
        info = (ValueError, error, error.__traceback__)
    for more in (
        {"msg": "dead: %s", "args": (text,)},
        {"msg": "dead: %(why)s", "args": {"why": text}},
        {"msg": text, "correlation_id": text, "labels": {"dataset": text, text: "x"}},
        {"msg": text, "name": "amqp", "threadName": text},
        {"msg": "it failed", "exc_info": info, "stack_info": text},
    ):
        written = kind(full=full).format(record(str(more.pop("msg")), **more))
        first, *others = written.split("\n")
        assert first.isprintable()
        assert all(one.startswith("\t") and one[1:].isprintable() for one in others)
        assert not others or (kind is Plain and "exc_info" in more)
        assert len(list(read(written.split("\n")))) == 1
        if kind is Ecs and "exc_info" not in more:
            said = (
                json.loads(written)["message"].encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            )
            assert "\\udcff" in said or said.endswith(text)


@pytest.mark.parametrize("before", ["", "Mar 14 09:26:53 host pacer[1]: ", "pacer-1  | "])
def test_a_line_below_a_record_is_no_other_record_whoever_keeps_the_log(before: str) -> None:
    forged = json.dumps({"@timestamp": "2026", "log.level": "info", "log": {"logger": "x"}, "message": "f"})
    line = "2026-03-14 09:26:53,589 INFO 1 pacer.settle: samples: done in 1.0 ms; dataset=x [c-7]"
    error = PacerError(f"a\n{line}\n{forged}\n{forged}")
    written = Plain().format(record(f"it failed {forged}", exc_info=(PacerError, error, None)))
    for mark in ("\t", "#011"):  # as rsyslog has it
        (entry,) = read([before + one.replace("\t", mark) for one in written.split("\n")])
        assert (entry.message, dict(entry.labels)) == (None, {})
        assert entry.text == f"it failed {forged}"
        assert entry.more == ("PacerError: a", line, forged, forged)


def test_only_what_stands_at_the_end_of_a_record_says_what_a_message_is_about() -> None:
    about = {"dataset": 'run 1; x=2 "a"', "investigation": "HC-2", "odd": "; user=ada"}
    for why in ("", "bad dataset=other user=eve", "bad; user=eve", 'bad; user=eve dataset="other"', "a=b"):
        line = Plain().format(
            record("%s", name="pacer.settle", args=(f"samples: dead: {why}; {identifiers(about)}",))
        )
        (entry,) = read([line])
        assert entry.labels == about


@pytest.mark.parametrize("kind", [Plain, Ecs])
def test_what_an_exception_says_is_written_where_the_format_is_full_alone(kind: type[Plain | Ecs]) -> None:
    name = "-".join(["Ada", "Lovelace"])
    try:
        try:
            Path(f"/nowhere/{name}").read_text()
        except OSError as error:
            raise ExceptionGroup(name, [ValueError(name), KeyError(name)]) from error
    except ExceptionGroup as error:
        one = record("it failed", exc_info=(type(error), error, error.__traceback__))
    assert "'/nowhere/Ada-Lovelace'" in kind(full=True).format(one)
    one.exc_text = None  # where logging keeps what the first format has made of it
    outline = kind().format(one)
    assert "FileNotFoundError (No such file or directory) at " in outline
    assert re.search(r"ExceptionGroup \(ValueError, KeyError\) at [\w.]*test_logs:\d+", outline)
    assert "direct cause" in outline
    assert "Ada-Lovelace" not in outline


@pytest.mark.parametrize("form", [Plain(), Ecs()], ids=["plain", "json"])
def test_a_record_says_which_message_the_thread_is_busy_with(form: logging.Formatter) -> None:
    token = correlation_id.set("id-of-thread")
    try:
        assert "id-of-thread" in form.format(record("of a library"))
        assert "id-of-thread" not in form.format(record("of another", correlation_id="its-own"))
    finally:
        correlation_id.reset(token)
    assert "id-of-thread" not in form.format(record("afterwards"))


# --- one file ----------------------------------------------------------------------------------------

WRITER = """
import logging, sys
from pacer_core.observe.logs.writers import SharedFile
name, path, most, backups, count = sys.argv[1:]
handler = SharedFile(path, int(most), int(backups))
for number in range(int(count)):
    text = f"{name} {number} {'x' * (number % 97)} end"
    handler.handle(logging.makeLogRecord({"msg": text}))
"""


def written(folder: Path) -> list[str]:
    files = folder.glob("pacer.log*")
    return list(itertools.chain.from_iterable(file.read_text().splitlines() for file in files))


def writers(
    folder: Path, processes: int, most: int, backups: int, count: int
) -> list[subprocess.Popen[bytes]]:
    common = [str(folder / "pacer.log"), str(most), str(backups), str(count)]
    return [
        subprocess.Popen([sys.executable, "-c", WRITER, str(number), *common]) for number in range(processes)
    ]


def test_processes_write_whole_lines_and_lose_none_while_any_of_them_rotates(tmp_path: Path) -> None:
    for process in writers(tmp_path, 4, most=8_000, backups=200, count=1500):
        assert process.wait(60) == 0
    lines = written(tmp_path)
    assert all(re.fullmatch(r"\d \d+ x* end", line) for line in lines)
    assert sorted(line.split()[0] + " " + line.split()[1] for line in lines) == sorted(
        f"{process} {number}" for process in range(4) for number in range(1500)
    )
    files = list(tmp_path.glob("pacer.log*"))
    assert len(files) > 20
    assert max(file.stat().st_size for file in files) <= 8_000


def test_no_more_old_files_are_kept_than_asked_for(tmp_path: Path) -> None:
    for process in writers(tmp_path, 2, most=2_000, backups=3, count=500):
        assert process.wait(60) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "pacer.log", "pacer.log.1", "pacer.log.2", "pacer.log.3",
    ]  # fmt: skip


def test_a_killed_process_holds_no_other_up(tmp_path: Path) -> None:
    begun = writers(tmp_path, 3, most=5_000, backups=1000, count=1_000_000)
    eventually(lambda: len(list(tmp_path.glob("pacer.log*"))) > 10)
    for process in begun[:2]:
        process.send_signal(signal.SIGKILL)
        process.wait()
    files = len(list(tmp_path.glob("pacer.log*")))
    eventually(lambda: len(list(tmp_path.glob("pacer.log*"))) > files + 10)
    begun[2].kill()
    begun[2].wait()


def test_a_file_that_somebody_else_moves_away_is_begun_anew(handler: SharedFile, tmp_path: Path) -> None:
    handler.handle(record("before"))
    (tmp_path / "pacer.log").rename(tmp_path / "yesterday")
    handler.handle(record("after"))
    assert "before" in (tmp_path / "yesterday").read_text()
    assert "after" in (tmp_path / "pacer.log").read_text()
    assert "before" not in (tmp_path / "pacer.log").read_text()


# --- configuration -----------------------------------------------------------------------------------

SITE = """
brokers: {main: {protocol: memory}}
queues: [{name: jobs}]
consumers: [{type: forward, queues: [jobs]}]
"""


def test_the_keys_of_logging_are_those_that_users_know(site: Site) -> None:
    file = site.write(
        SITE
        + """
logging:
  logLevel: WARNING
  console: {enabled: false, format: json}
  file: {enabled: true, path: logs/pacer.log, format: json, rotate: true, maxMBytes: 7, backupCount: 2}
"""
    )
    config, problems = check(file)
    assert problems == []
    assert config is not None
    assert config.logging.file.max_m_bytes == 7
    assert camel("max_m_bytes") == "maxMBytes"


def test_a_log_file_that_cannot_be_written_is_an_error(site: Site) -> None:
    site.write("", "taken")
    file = site.write(SITE + f"logging: {{file: {{enabled: true, path: {site.folder}/taken/pacer.log}}}}")
    ran = site.pacer("run", "--once", "-c", file)
    assert ran.code == 70
    assert "taken/pacer.log cannot be written" in ran.err


def test_nothing_is_printed_where_the_console_is_off(site: Site, capfd: pytest.CaptureFixture[str]) -> None:
    file = site.write(
        SITE
        + f"""
logging:
  console: {{enabled: false}}
  file: {{enabled: true, path: {site.folder}/logs/pacer.log}}
"""
    )
    with _logging_kept():
        ran = site.pacer("run", "--once", "-c", file)
    assert ran.code == 0
    assert "reading jobs" not in ran.err + capfd.readouterr().err
    assert "reading jobs" in (site.folder / "logs/pacer.log").read_text()
