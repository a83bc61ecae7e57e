"""The YAML options of a consumer of type ``dataset-statistics``."""

from __future__ import annotations

from attrs import frozen


@frozen
class StatisticsOptions:
    """How the facility names its dataset types.

    Attributes
    ----------
    raw_type, processed_type
        The names of the dataset types that are counted apart, as in the options of ``datasets``.
    """

    raw_type: str = "acquisition"
    processed_type: str = "processed"
