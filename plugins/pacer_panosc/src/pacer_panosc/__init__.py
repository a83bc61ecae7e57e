"""PACER for PaNOSC: items of the scoring service, from the documents of the search API."""

from pacer_panosc.client import Panosc
from pacer_panosc.integration import PANOSC
from pacer_panosc.options import PanoscOptions
from pacer_panosc.tasks import create_panosc_item, recompute_scores

__all__ = ["PANOSC", "Panosc", "PanoscOptions", "create_panosc_item", "recompute_scores"]
