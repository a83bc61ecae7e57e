"""How large a bundle may be, and in which ways."""

from __future__ import annotations

from typing import Any, Literal

from attrs import field, frozen, validators

from pacer_pacifica.sizes import is_size, size


def _at_least(number: int) -> Any:
    return validators.ge(number)


@frozen
class Limits:
    """What a bundle may be at most.

    Attributes
    ----------
    compressions
        Compressions that are taken besides none, which is all that Pacifica knows. ``zstd`` needs the extra
        ``pacer-pacifica[zstd]`` before Python 3.14.
    max_members
        Files and folders in it.
    max_size
        Its length without compression; a move has none.
    max_file_size
        The length of one file.
    max_metadata
        The length of ``metadata.txt``, which is held in memory.
    max_ratio
        How many bytes may come out of one byte of a compressed bundle, on average.
    """

    compressions: tuple[Literal["gzip", "zstd"], ...] = ()
    max_members: int = field(default=100_000, validator=_at_least(1))
    max_size: str = field(default="4TiB", validator=is_size)
    max_file_size: str = field(default="4TiB", validator=is_size)
    max_metadata: str = field(default="32MiB", validator=is_size)
    max_ratio: int = field(default=200, validator=_at_least(1))

    def bytes_of(self, option: Literal["max_size", "max_file_size", "max_metadata"]) -> int:
        """Give one of the sizes in bytes."""
        found = size(getattr(self, option))
        assert found is not None, "the validator has seen it"  # noqa: S101 - of the type checker's
        return found
