"""PACER for ICAT+: galleries of datasets; what other plugins may import is listed here."""

from pacer_icatplus.client import IcatPlus
from pacer_icatplus.integration import ICATPLUS
from pacer_icatplus.options import IcatPlusOptions
from pacer_icatplus.task import upload_gallery

__all__ = ["ICATPLUS", "IcatPlus", "IcatPlusOptions", "upload_gallery"]
