"""The YAML options of a consumer of type ``reingest``."""

from __future__ import annotations

from attrs import frozen


@frozen
class ReingestOptions:
    """What is no part of a rebuilt message.

    Attributes
    ----------
    left_out
        Parameters that PACER itself has written, and will write again. Names that begin with ``__`` are
        always left out.
    """

    left_out: tuple[str, ...] = (
        "input_datasetIds",
        "output_datasetIds",
        "output_datasetNames",
        "output_datasets",
        "ResourcesGallery",
    )
