"""What is wrong with a configuration: values with a place, a closed code and a suggestion."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from attrs import frozen

from pacer_core.model.errors import PacerError


class Code(Enum):
    """Every kind of problem there is."""

    SYNTAX = "syntax"
    DUPLICATE_KEY = "duplicate-key"
    UNKNOWN_KEY = "unknown-key"
    MISSING = "missing"
    WRONG_TYPE = "wrong-type"
    BAD_VALUE = "bad-value"
    UNKNOWN_NAME = "unknown-name"
    DUPLICATE_NAME = "duplicate-name"
    UNSET_VARIABLE = "unset-variable"
    UNREADABLE_FILE = "unreadable-file"
    PLUGIN = "plugin"
    TRANSPORT = "transport"
    UNUSED = "unused"


@frozen(order=True)
class Problem:
    """One problem of a configuration file; lines and columns count from 1."""

    file: str
    line: int
    column: int
    message: str
    code: Code = Code.BAD_VALUE
    severity: str = "error"

    def __str__(self) -> str:
        """Give it as compilers do: ``pacer.yaml:7:14: error: ... [wrong-type]``."""
        return f"{self.file}:{self.line}:{self.column}: {self.severity}: {self.message} [{self.code.value}]"


class ConfigError(PacerError):
    """A configuration that cannot be used, with everything that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
