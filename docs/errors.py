"""The page on errors: what `pacer config check` may say is collected from the code that says it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from pacer_core.config import sections
from pacer_core.config.problems import Code

ROOT = Path(__file__).parents[1] / "pacer_core"
SOURCES = [*sorted((ROOT / "config").rglob("*.py")), *sorted((ROOT / "parsing").glob("*.py"))]
LEAVES = {"Bad": Code.WRONG_TYPE, "_Value": Code.BAD_VALUE}
"""What a scalar that cannot be read is raised as."""
GAP = "…"

MEANINGS = {
    Code.SYNTAX: "the file is not YAML, or has a tag that is not known",
    Code.DUPLICATE_KEY: "a key stands twice in one mapping",
    Code.UNKNOWN_KEY: "a key that does not exist there",
    Code.MISSING: "a key that is needed is not there",
    Code.WRONG_TYPE: "a value of another kind: text where a number belongs",
    Code.BAD_VALUE: "a value of the right kind that is not accepted",
    Code.UNKNOWN_NAME: "a name that nothing here, or no installed plugin, has",
    Code.DUPLICATE_NAME: "two things of one name",
    Code.UNSET_VARIABLE: "`!env` names an environment variable that is not set",
    Code.UNREADABLE_FILE: "the file itself, or one that `!file` names, cannot be read",
    Code.PLUGIN: "two plugins, or the tasks of one consumer type, contradict each other",
    Code.TRANSPORT: "what this kind of broker cannot do: one in memory, for instance, serves one process",
    Code.UNUSED: "what has no effect: a queue that no consumer reads, a key that says nothing here",
}
ERRORS = """\
# Errors, and what to do

What PACER says when something is not as it should be, by the code or the kind that it gives. What a command exits with is on
a page of its own: [Exit codes](exit-codes.md).

## Of a configuration

`pacer config check` gives each as `file:line:column: severity: text [code]`. `unused` is a warning, and PACER runs with it; every other
one is an error, with which `pacer run` and `pacer send` do not start. Names that are nearly right are said: "did you mean ...?". In the texts
below, … stands for what differs from case to case; options of plugins have texts of their own, after "is not accepted".
"""
ADVICE = {
    Code.SYNTAX: "Look at the line, and at the one above it: a quote that is not closed, a tab, a colon within a text "
    "that is not in quotes. `!env` and `!file` are the only tags, each with one word behind it.",
    Code.DUPLICATE_KEY: "Delete one of the two. YAML's readers take one of them without a word, and not all the same.",
    Code.UNKNOWN_KEY: "Take the key that is meant, or delete it; [Configuration](configuration.md) lists those there "
    "are. A key of a newer release is unknown to an older one. One of ICAT-PACER is what `pacer config migrate` changes.",
    Code.MISSING: 'Write the key. Where messages "would be acknowledged without" a task, name the integration that it '
    "needs, or say with `leaveOut` that it is meant so.",
    Code.WRONG_TYPE: "Write what it says the value should be. A number that is a name (`1234`) and words such as `yes` "
    "want quotes, to be text.",
    Code.BAD_VALUE: "The kind of value is right, and this one is not accepted; the text says which are.",
    Code.UNKNOWN_NAME: "A typing mistake, or a plugin that is not installed or failed: `pacer plugins list` shows those "
    "there are, with the reason of one that failed.",
    Code.DUPLICATE_NAME: "Give one of the two another `name`; a queue is read by one consumer.",
    Code.UNSET_VARIABLE: "Set the variable where PACER is started: a shell's `export` does not reach a service of "
    "systemd, whose unit names an `EnvironmentFile`. [Keep secrets out of the file](../how-to/keep-secrets.md).",
    Code.UNREADABLE_FILE: "See that the file is there, from the folder of the configuration on, and that the account of "
    "PACER may read it.",
    Code.PLUGIN: "Two plugins give the same name, or one is broken: `pacer plugins list` says which. Remove one, or name it "
    "under `plugins: {block: [...]}`.",
    Code.TRANSPORT: "This kind of broker cannot do what the line asks for: leave it out, or take another broker "
    "([Choose a broker](../how-to/choose-a-broker.md)).",
    Code.UNUSED: "Nothing, if it is meant so: a queue is declared and gathers messages. Otherwise name it where it was to "
    "be used.",
}
KINDS = {
    "retry": (
        "a task said that another attempt may succeed: its end is busy, or answers with a fault",
        "Nothing: it comes back after 1 s, 5 s, 1 min ... ([delivery](delivery.md)). After `retries.limit` it is dead.",
    ),
    "not-yet": (
        "it waits for another message: an investigation that is not there yet",
        "`pacer waiting list` says for what. Bring that, and it is done at its next attempt; `pacer waiting now` has it tried at once.",
    ),
    "reject": (
        "the message itself is wrong; the reason names each bad field",
        "Tell its publisher. When it is mended at its source, or by a newer plugin: `pacer dead replay`.",
    ),
    "error": (
        "an exception that nobody expected, in a task or a plugin",
        "`pacer dead show ID` has its trace: tell the plugin's author. It is tried again like `retry` meanwhile.",
    ),
    "away": (
        "the end is away; the task was not tried, and nothing is counted against the message",
        "`pacer doctor` says why. When it is back the messages go on by themselves.",
    ),
    "behind": (
        "an earlier message of the same key waits, and this one may not overtake it",
        "Look at the earlier one: `pacer status` names the key, `pacer waiting list --about KEY` the message.",
    ),
}
PLACES = {
    "parse": "the body could not be read: not JSON or XML, or with bad fields",
    "key": "the consumer could not say whose turn it is: the key of the message",
    "forward": "the message has come back from a broker that it was forwarded to: rules that lead in a circle",
    "timeout": "a task ran for longer than `taskTimeout`",
    "worker": "the message was in hand whenever its worker died, `crashes` times",
    "settle": "the broker takes no copy of the message, or not what its tasks emitted",
    "consumer": "its consumer was switched off while it lay in a partition",
}
FAILURES = """\
## Of a message

Why a message waits or is dead: `pacer waiting list`, `pacer dead list`, the log and the metric `pacer_failures_total` name a kind.

| Kind | It means | What to do |
|---|---|---|
{kinds}

What stands before the reason is the task that failed. Where no task had begun it is one of these:

| In the place of a task | It means |
|---|---|
{places}

## Of a command

| Begins with | It means | What to do |
|---|---|---|
| `FILE:LINE:COLUMN: error:` | exit code 78: see above | `pacer config check` lists all of them |
| `error: lost the broker, or was refused` | exit code 69: the connection ended, or the account may not do this | `pacer doctor` |
| `error: ... needs pacer-core...` | exit code 78: the distributions installed do not belong together | the line at its end mends it: [Install](../how-to/install.md) |
| `Usage:` | exit code 2: the command line is wrong | `--help`, or [Command line](command-line.md) |
| `Traceback` | exit code 1: a mistake of PACER's own making | report it, with the trace; it has no secret in it |
"""


def page() -> str:
    """Give the page about what PACER says is wrong."""
    parts = [ERRORS]
    said = messages()
    for code in Code:
        parts.append(
            f"### `{code.value}`\n\n{MEANINGS[code][0].upper()}{MEANINGS[code][1:]}. {ADVICE[code]}\n"
        )
        parts.append("\n".join(f"* `{text.replace('`', chr(39))}`" for text in said[code]) + "\n")
    kinds = "\n".join(f"| `{kind}` | {means} | {act} |" for kind, (means, act) in KINDS.items())
    places = "\n".join(f"| `{place}` | {means} |" for place, means in PLACES.items())
    parts.append(FAILURES.format(kinds=kinds, places=places))
    return "\n".join(parts)


def messages() -> dict[Code, list[str]]:
    """Give the texts of every code, each with ``…`` for what differs from case to case."""
    found: dict[Code, set[str]] = {code: set() for code in Code}
    for file in SOURCES:
        tree = ast.parse(file.read_text())
        for function in ast.walk(tree):
            if not isinstance(function, ast.FunctionDef | ast.Module):
                continue
            for call in _calls(function):
                for code, text in _said(call, function, file):
                    found[code].add(text)
    return {code: sorted(texts, key=str.lower) for code, texts in found.items()}


def _calls(function: ast.AST) -> Iterator[ast.Call]:
    """Give the calls in a function, without those of the functions inside it."""
    for child in ast.iter_child_nodes(function):
        if isinstance(child, ast.FunctionDef | ast.ClassDef) and isinstance(function, ast.FunctionDef):
            continue
        if isinstance(child, ast.FunctionDef):
            continue
        if isinstance(child, ast.Call):
            yield child
        yield from _calls(child)


def _said(call: ast.Call, function: ast.AST, file: Path) -> Iterator[tuple[Code, str]]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = [*call.args, *(one.value for one in call.keywords)]
    if name == "report" and len(call.args) > 1:
        texts, codes = _texts(call.args[1], function), _codes(given, function) or [Code.BAD_VALUE]
    elif name == "Problem" and len(call.args) > 3:
        texts, codes = _texts(call.args[3], function), _codes(given, function) or [Code.BAD_VALUE]
    elif name in LEAVES and call.args and file.is_relative_to(ROOT / "config"):
        texts, codes = _texts(call.args[0], function), [LEAVES[name]]
    else:
        return
    for text in texts:
        cleaned = " ".join(text.split()).replace(2 * GAP, GAP)
        if cleaned.strip(f" {GAP}"):
            for code in codes:
                yield code, cleaned


def _codes(given: list[ast.expr], function: ast.AST) -> list[Code]:
    return [
        Code[node.attr]
        for one in given
        for node in ast.walk(_assigned(one, function))
        if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "Code"
    ]


def _texts(node: ast.expr, function: ast.AST) -> list[str]:
    """Give what an expression may be as a text."""
    node = _assigned(node, function)
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.JoinedStr):
        return ["".join(_part(one) for one in node.values)]
    if isinstance(node, ast.IfExp):
        return [*_texts(node.body, function), *_texts(node.orelse, function)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return [one + other for one in _texts(node.left, function) for other in _texts(node.right, function)]
    return [GAP]


def _part(node: ast.expr) -> str:
    """Give a part of an f-string: text, a constant that the sections share, or a gap."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    inner = node.value if isinstance(node, ast.FormattedValue) else node
    shared = getattr(sections, inner.id, None) if isinstance(inner, ast.Name) and inner.id.isupper() else None
    return shared if isinstance(shared, str) else GAP


def _assigned(node: ast.expr, function: ast.AST) -> ast.expr:
    """Give what a name was given in its function, where that is said once."""
    if not isinstance(node, ast.Name):
        return node
    values = [
        one.value
        for one in ast.walk(function)
        if isinstance(one, ast.Assign) and any(getattr(t, "id", "") == node.id for t in one.targets)
    ]
    return values[0] if len(values) == 1 else node
