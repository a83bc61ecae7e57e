"""An ICAT to hold in one hand: SOAP and REST on SQLite, for trying and testing."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pacer_sandbox.misbehave import Misbehaviour
    from pacer_sandbox.sandbox import IcatSandbox

__all__ = ["IcatSandbox", "Misbehaviour"]


def __getattr__(name: str) -> Any:
    """Import on demand: pytest loads this package in every run, wanted or not."""
    if name == "IcatSandbox":
        from pacer_sandbox.sandbox import IcatSandbox

        return IcatSandbox
    if name == "Misbehaviour":
        from pacer_sandbox.misbehave import Misbehaviour

        return Misbehaviour
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
