"""PACER for DataCite: DOIs for ICAT's investigations; what other plugins may import is listed here."""

from pacer_datacite.client import Datacite, Entry
from pacer_datacite.doi import Identity, doi_of
from pacer_datacite.integration import DATACITE
from pacer_datacite.options import DataciteOptions, Funder, Publisher, Rights
from pacer_datacite.tasks import mint_proposal, store_doi

__all__ = [
    "DATACITE",
    "Datacite",
    "DataciteOptions",
    "Entry",
    "Funder",
    "Identity",
    "Publisher",
    "Rights",
    "doi_of",
    "mint_proposal",
    "store_doi",
]
