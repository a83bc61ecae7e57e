#!/usr/bin/env python3
"""Play recorded answers of a real SciCat backend against a fresh stand-in.

    play.py [RECORDING.jsonl ...]

Prints every difference that is not in `known_differences.yaml`, and last "N passed, N failed, N known".
Without files it plays all recordings here.
"""

import http.client
import json
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import frozen
from ruamel.yaml import YAML

from pacer_scicat.testing import Accounts, ScicatStandIn

HERE = Path(__file__).resolve().parent
TIMES = {
    *("createdAt", "updatedAt", "created", "modified", "dateOfDiskPurging", "publishedOn"),
    *("archiveRetentionTime", "dateOfPublishing"),
}
RULE = r"20\.500\.12269/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
"""The rule for pids that `pidregex.jsonl` was recorded with."""
_UUID = re.compile(r"<uuid#(\d+)>")
_ANY_UUID = "([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
_OWN_TOKENS = re.compile(r"([Bb]earer) <token:(\w+)>")


@frozen
class Step:
    """One question: where it stands, whether it was answered as recorded, and what was."""

    recording: str
    number: int
    group: str
    name: str
    same: bool
    ask: str
    want: tuple[int, Any]
    got: tuple[int, Any]

    @property
    def place(self) -> tuple[str, str]:
        """Recording and step; names of steps repeat, with the same answers."""
        return self.recording, f"{self.group}/{self.name}"

    def __str__(self) -> str:
        shown = "".join(f"\n  {line}" for line in _differences(self.want, self.got))
        return f"{self.recording} {self.number} {self.group}/{self.name}: {self.ask}{shown}"


def _differences(want: Any, got: Any, place: str = "") -> Iterator[str]:
    """Say what differs, key by key; ids and times among it."""
    if isinstance(want, dict) and isinstance(got, dict):
        for key in [*want, *(key for key in got if key not in want)]:
            yield from _differences(want.get(key, "<absent>"), got.get(key, "<absent>"), f"{place}.{key}")
    elif isinstance(want, list | tuple) and isinstance(got, list | tuple) and len(want) == len(got):
        for number, pair in enumerate(zip(want, got, strict=True)):
            yield from _differences(*pair, f"{place}[{number}]")
    elif want != got and not str(want).startswith(("<oid>", "<time>", "<uuid")):
        yield f"{place}: want {json.dumps(want)[:300]}, got {json.dumps(got)[:300]}"


def known() -> dict[tuple[str, str], str]:
    """Read what may differ, and why."""
    told = YAML(typ="safe").load((HERE / "known_differences.yaml").read_text("utf-8")) or {}
    return {(recording, step): reason for reason, steps in told.items() for recording, step in _pairs(steps)}


def _pairs(steps: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    for recording, names in steps.items():
        yield from ((recording, name) for name in names)


def recordings() -> list[Path]:
    """Give all recordings beside this file."""
    return sorted(HERE.glob("*.jsonl"))


def steps_of(path: Path) -> Iterator[dict[str, Any]]:
    """Read a recording: bodies that are told as differences from earlier ones become whole again."""
    told: dict[str, Any] = {}

    def whole(value: Any) -> Any:
        if isinstance(value, list):
            return [whole(one) for one in value]
        if not isinstance(value, dict) or "$like" not in value:
            return value
        base = {key: one for key, one in told[value["$like"]].items() if key not in value.get("$drop", ())}
        return {**base, **value.get("$set", {})}

    for line in path.read_text("utf-8").splitlines():
        step = json.loads(line)
        for key, mark in (("body", "?"), ("answer", "!")):
            step[key] = whole(step.get(key))
            told[f"{step['n']}{mark}"] = step[key]
            if isinstance(step[key], list):
                told |= {f"{step['n']}{mark}{place}": one for place, one in enumerate(step[key])}
        yield step


def play(files: Iterable[Path]) -> Iterator[Step]:
    """Play each recording against a stand-in of its own, and yield its steps."""
    for path in files:
        ruled = path.stem == "pidregex"
        accounts = Accounts(lifetime=2 if ruled else 36000)
        with ScicatStandIn(accounts=accounts, pid_rule=RULE if ruled else None) as scicat:
            yield from _Player(scicat, path.stem).play(steps_of(path))


class _Player:
    def __init__(self, scicat: ScicatStandIn, recording: str) -> None:
        self._accounts = scicat.backend.accounts
        self._recording = recording
        self._connection = http.client.HTTPConnection(urlsplit(scicat.url).netloc, timeout=60)
        self._ids: dict[str, str] = {}

    def play(self, steps: Iterable[dict[str, Any]]) -> Iterator[Step]:
        for step in steps:
            got = self._ask(step)
            want = (step["status"], step["answer"])
            whole = not (isinstance(want[1], dict) and "$elided" in want[1])
            same = got[0] == want[0] and (not whole or self._same(want[1], got[1]))
            yield Step(
                self._recording,
                step["n"],
                step["group"],
                step["step"],
                same,
                " ".join(step["ask"]),
                want,
                got,
            )
        self._connection.close()

    def _ask(self, step: dict[str, Any]) -> tuple[int, Any]:
        method, path = step["ask"]
        headers = {name: self._header(step, value) for name, value in step.get("headers", {}).items()}
        body = _body(step["body"])
        for number, one in self._ids.items():
            path = path.replace(f"<uuid#{number}>", one)
        while token := _OWN_TOKENS.search(path.replace("=<token", "=Bearer <token")):
            path = path.replace(f"<token:{token[2]}>", self._accounts.token(token[2]))
        self._connection.request(method, path, body=body, headers=headers)
        response = self._connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else ""

    def _header(self, step: dict[str, Any], value: str) -> str:
        lifetime = 0 if step["step"].startswith("after_real_expiry") else 36000
        value = _OWN_TOKENS.sub(
            lambda match: f"{match[1]} {self._accounts.token(match[2], lifetime=lifetime)}", value
        )
        return {
            "Bearer <JWT with another secret>": f"Bearer {self._accounts.token('admin', secret='another')}",
            "Bearer <valid JWT of an unknown user>": f"Bearer {self._accounts.token('nobody')}",
            "<token without Bearer>": self._accounts.token("admin"),
        }.get(value, value)

    def _same(self, want: Any, got: Any, key: str = "") -> bool:
        """Compare with the recorded answer, but for ids and times; an id that comes again is the same."""
        if want in ("<oid>", "<time>", "<jwt>"):
            return key in TIMES or got is not None
        if isinstance(want, dict):
            if not isinstance(got, dict) or want.keys() != got.keys():
                return False
            return all(self._same(value, got[name], name) for name, value in want.items())
        if isinstance(want, list):
            if not isinstance(got, list) or len(want) != len(got):
                return False
            return all(self._same(*pair) for pair in zip(want, got, strict=True))
        if isinstance(want, str) and _UUID.search(want):
            return isinstance(got, str) and self._same_id(want, got)
        return (type(want) is type(got) and want == got) or (_number(want) and _number(got) and want == got)

    def _same_id(self, want: str, got: str) -> bool:
        numbers = _UUID.findall(want)
        pattern = "".join(
            _ANY_UUID if place % 2 else re.escape(part) for place, part in enumerate(_UUID.split(want))
        )
        match = re.fullmatch(pattern, got)
        if match is None:
            return False
        pairs = zip(numbers, match.groups(), strict=True)
        return all(self._ids.setdefault(number, one) == one for number, one in pairs)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _body(told: Any) -> bytes | None:
    if told is None:
        return None
    if isinstance(told, dict) and "$raw" in told:
        return str(told["$raw"]).encode("latin-1" if told["$raw"].startswith("\u00ef") else "utf-8")
    if isinstance(told, dict) and "$gen" in told:
        return json.dumps({"thumbnail": "A" * 17_000_000, "caption": "c"}).encode()
    return json.dumps(told).encode()


def main(names: list[str]) -> int:
    """Play the files named, or all."""
    listed = known()
    passed = failed = expected = 0
    for step in play([Path(name) for name in names] or recordings()):
        if step.same:
            passed += 1
        elif step.place in listed:
            expected += 1
        else:
            failed += 1
            print(step)
    print(f"{passed} passed, {failed} failed, {expected} known")
    return 0 if not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
