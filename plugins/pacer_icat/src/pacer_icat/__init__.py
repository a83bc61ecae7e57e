"""PACER for ICAT: consumers, and a client for plugins; what they may import is listed here."""

from pacer_icat.client import IcatClient, connect
from pacer_icat.collation import fold
from pacer_icat.datasets.message import Datafile, Dataset, Parameter, Sample
from pacer_icat.datasets.options import DatasetsOptions
from pacer_icat.datasets.task import store_dataset
from pacer_icat.disk import FileRefusedError, Roots, entries, is_of_the_path, looked_at, opened
from pacer_icat.faults import IcatAway, IcatFault
from pacer_icat.found import check_found, found_dataset, found_investigation
from pacer_icat.integration import ICAT
from pacer_icat.investigations.message import EMBARGO_YEARS, Instrument, Investigation, Member
from pacer_icat.keys import investigation_key
from pacer_icat.operations.message import InvestigationOperations
from pacer_icat.options import IcatOptions
from pacer_icat.parameters import UNKNOWN_PARAMETERS
from pacer_icat.periods import check_period
from pacer_icat.query import Objects, Q, QueryError
from pacer_icat.references import DatasetReference
from pacer_icat.signals import settled
from pacer_icat.soap import Bean, ref
from pacer_icat.spellings import folder, orcid, orcid_uri, user_name
from pacer_icat.users.message import Account, Affiliation, User
from pacer_icat.wire import parameter_type

__all__ = [
    "EMBARGO_YEARS",
    "ICAT",
    "UNKNOWN_PARAMETERS",
    "Account",
    "Affiliation",
    "Bean",
    "Datafile",
    "Dataset",
    "DatasetReference",
    "DatasetsOptions",
    "FileRefusedError",
    "IcatAway",
    "IcatClient",
    "IcatFault",
    "IcatOptions",
    "Instrument",
    "Investigation",
    "InvestigationOperations",
    "Member",
    "Objects",
    "Parameter",
    "Q",
    "QueryError",
    "Roots",
    "Sample",
    "User",
    "check_found",
    "check_period",
    "connect",
    "entries",
    "fold",
    "folder",
    "found_dataset",
    "found_investigation",
    "investigation_key",
    "is_of_the_path",
    "looked_at",
    "opened",
    "orcid",
    "orcid_uri",
    "parameter_type",
    "ref",
    "settled",
    "store_dataset",
    "user_name",
]
