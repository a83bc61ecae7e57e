"""PACER for SciCat: NeXus files, samples and datasets; what other plugins may import is listed here."""

from pacer_scicat.client import Scicat
from pacer_scicat.integration import SCICAT
from pacer_scicat.options import ScicatOptions
from pacer_scicat.schemas.extensions import Converter, Operator, Source, VariableError
from pacer_scicat.schemas.hookspecs import hookimpl
from pacer_scicat.schemas.values import Given
from pacer_scicat.writing import MessageFacts, Record, Stored, store

__all__ = [
    "SCICAT",
    "Converter",
    "Given",
    "MessageFacts",
    "Operator",
    "Record",
    "Scicat",
    "ScicatOptions",
    "Source",
    "Stored",
    "VariableError",
    "hookimpl",
    "store",
]
