"""The YAML options of the consumers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from pacer_pacifica.bundles.limits import Limits


@frozen
class InIcatOptions:
    """How a bundle stands in ICAT.

    Attributes
    ----------
    instruments, users
        ICAT's name of what ``Transactions.instrument`` and ``.submitter`` say, where it is another one:
        ``{"54": bl06}``, ``{"10": db/jdoe}``. Projects are the names of investigations.
    name_key
        The key-value that gives the dataset its name; without one it is ``pacifica-`` and the job's number.
    sample_key
        The key-value that names the sample.
    sample
        The sample of a bundle that names none.
    submitter_role
        The role that the submitter gets in the investigation; by default nobody is added to it. ICAT's rules
        may let whoever is in it read everything.
    unknown_parameters
        ``ignore`` key-values whose parameter type ICAT does not know, or ``reject`` the bundle.
    dataset_type
        The name of the dataset's type.
    """

    instruments: Mapping[str, str] = field(factory=dict)
    users: Mapping[str, str] = field(factory=dict)
    name_key: str | None = None
    sample_key: str = "sample"
    sample: str = "unknown"
    submitter_role: str | None = None
    unknown_parameters: Literal["ignore", "reject"] = "ignore"
    dataset_type: str = "acquisition"


@frozen
class BundlesOptions:
    """What a facility asks of a bundle.

    Attributes
    ----------
    limits
        How large it may be, and in which ways.
    failed_files
        What becomes of files that are in the archive already when their job fails for good: ``report`` says
        so in the log and in the job, ``remove`` takes them out. Where ICAT refuses what Pacifica's catalogue
        has, they stay.
    icat
        How it stands in ICAT.
    """

    limits: Limits = field(factory=Limits)
    icat: InIcatOptions = field(factory=InIcatOptions)
    failed_files: Literal["report", "remove"] = "report"


@frozen
class MovesOptions:
    """What a facility asks of a list of files to be moved.

    Attributes
    ----------
    limits
        Of these, ``maxMetadata`` counts.
    icat
        How the files stand in ICAT.
    """

    limits: Limits = field(factory=Limits)
    icat: InIcatOptions = field(factory=InIcatOptions)
