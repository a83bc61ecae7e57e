#!/usr/bin/env python3
"""Play recorded conversations with a real ICAT against a fresh sandbox.

    play.py [SCENARIO.jsonl ...]

Prints every difference that is not in `known_differences.yaml`, and last "N passed, N failed" for all files
together. Without files it plays all scenarios here.
"""

import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from attrs import frozen
from ruamel.yaml import YAML

from pacer_sandbox import IcatSandbox

HERE = Path(__file__).resolve().parent


@frozen
class Step:
    """One question: where it stands, whether it was answered as recorded, and what was."""

    scenario: str
    number: int
    same: bool
    left_out: bool
    ask: dict[str, Any]
    want: dict[str, Any]
    got: dict[str, Any]

    @property
    def place(self) -> tuple[str, int]:
        """Scenario and number."""
        return self.scenario, self.number

    def __str__(self) -> str:
        return json.dumps(
            {
                "scenario": self.scenario,
                "step": self.number,
                "ask": self.ask,
                "want": self.want,
                "got": self.got,
            },
            ensure_ascii=False,
        )[:2000]


@frozen
class Known:
    """What is known to differ, and what is left out."""

    differences: dict[tuple[str, int], str]
    left_out: dict[str, str]

    @staticmethod
    def load() -> "Known":
        """Read `known_differences.yaml`."""
        told = YAML(typ="safe").load((HERE / "known_differences.yaml").read_text("utf-8"))
        return Known(
            {(d["scenario"], d["step"]): d["reason"] for d in told["differences"]}, dict(told["left_out"])
        )


def player() -> Any:
    """Return the recorder's own player as a module."""
    spec = importlib.util.spec_from_file_location("replay", HERE / "replay.py")
    if spec is None or spec.loader is None:
        raise ImportError("replay.py is missing")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def scenarios() -> list[Path]:
    """Return all scenarios beside this file."""
    return sorted((HERE / "scenarios").glob("*.jsonl"))


def play(files: Iterable[Path], known: Known) -> Iterator[Step]:
    """Play each file from an empty catalogue and yield its steps."""
    replay = player()
    with IcatSandbox(zone="Europe/Berlin") as icat, tempfile.TemporaryDirectory() as folder:
        server = replay.Server(icat.url)
        try:
            for path in files:
                icat.reset()
                for number, (_, ask, want, got) in enumerate(
                    replay.play(server, beside_base(path, Path(folder))), 1
                ):
                    refused = replay.refusal(want)
                    same = want == got or bool(refused and refused == replay.refusal(got))
                    left_out = any(str(ask.get("path", "")).endswith(f"/{what}") for what in known.left_out)
                    yield Step(path.stem, number, same, left_out or _follows(ask, known), ask, want, got)
        finally:
            server.conn.close()


def beside_base(path: Path, folder: Path) -> Path:
    """Return a scenario in a folder that has the base scenario, too: its own, or a copy of both."""
    if (path.parent / "base.jsonl").exists():
        return path
    shutil.copy(HERE / "scenarios" / "base.jsonl", folder)
    return Path(shutil.copy(path, folder))


def _follows(ask: dict[str, Any], known: Known) -> bool:
    """Tell whether a question only looks at what a step that is left out has made."""
    return "cloner" in known.left_out and "'clone'" in str(ask.get("params", {}).get("query", ""))


def main(names: list[str]) -> int:
    """Play the files named, or all."""
    known = Known.load()
    passed = failed = 0
    for step in play([Path(name) for name in names] or scenarios(), known):
        if step.left_out:
            continue
        if step.same:
            passed += 1
        else:
            failed += 1
            print(known.differences.get(step.place, str(step)))
    print(f"{passed} passed, {failed} failed")
    return 0 if not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
