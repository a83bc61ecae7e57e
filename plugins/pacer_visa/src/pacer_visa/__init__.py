"""PACER for VISA: users, proposals, experiments and their members in its database."""

from pacer_visa.client import Visa
from pacer_visa.faults import VisaAway
from pacer_visa.integration import VISA
from pacer_visa.options import VisaOptions

__all__ = ["VISA", "Visa", "VisaAway", "VisaOptions"]
