"""The YAML options of a consumer of type ``datasets``."""

from __future__ import annotations

from typing import Literal

from attrs import field, frozen, validators


@frozen
class DatasetsOptions:
    """What a facility asks of a dataset message.

    Attributes
    ----------
    unknown_parameters
        ``reject`` a message with a parameter whose type ICAT does not know, or ``ignore`` that parameter.
    require_sample_type
        Whether ``sample.type`` has to be there.
    require_datafiles
        Whether at least one file has to be there.
    max_datafiles
        The number of files that one message may bring.
    raw_type, processed_type
        The names of the dataset types. A dataset with a parameter ``input_datasets`` is processed.
    """

    unknown_parameters: Literal["reject", "ignore"] = "reject"
    require_sample_type: bool = False
    require_datafiles: bool = False
    max_datafiles: int = field(default=30_000, validator=validators.ge(1))
    raw_type: str = "acquisition"
    processed_type: str = "processed"
