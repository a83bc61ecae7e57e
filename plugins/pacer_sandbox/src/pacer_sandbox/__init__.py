"""An ICAT to hold in one hand: SOAP and REST on SQLite, for trying and testing."""

from pacer_sandbox.misbehave import Misbehaviour
from pacer_sandbox.sandbox import IcatSandbox

__all__ = ["IcatSandbox", "Misbehaviour"]
