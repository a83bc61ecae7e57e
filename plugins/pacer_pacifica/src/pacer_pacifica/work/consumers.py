"""The consumer types; with pacer-icat installed their work can end in ICAT."""

from __future__ import annotations

from importlib.util import find_spec

from pacer_core import ConsumerType
from pacer_pacifica.messages import BUNDLES, MOVES, Bundle, Move
from pacer_pacifica.work import bundles, moves
from pacer_pacifica.work.options import BundlesOptions, MovesOptions
from pacer_pacifica.work.places import Message


def describe(message: Message) -> dict[str, str]:
    """Give the identifiers by which people look for the message."""
    return {"job": str(message.job_id), "user": message.user}


def consumer_types() -> list[ConsumerType]:
    """Give ``pacifica-bundles`` and ``pacifica-moves``."""
    into_icat = []
    into_icat_moved = []
    if find_spec("pacer_icat") is not None:
        from pacer_pacifica.work.icat import store_bundle_in_icat, store_move_in_icat

        into_icat, into_icat_moved = [store_bundle_in_icat], [store_move_in_icat]
    of_bundles = [
        bundles.open_bundle,
        bundles.check_bundle_policy,
        bundles.archive_bundle,
        bundles.ingest_bundle_metadata,
        *into_icat,
    ]
    of_moves = [
        moves.load_move,
        moves.check_move_policy,
        moves.archive_move,
        moves.ingest_move_metadata,
        *into_icat_moved,
    ]
    return [
        ConsumerType(
            name=BUNDLES,
            message=Bundle,
            tasks=(*of_bundles, bundles.finish_after(of_bundles[-1].name)),
            options=BundlesOptions,
            describe=describe,
        ),
        ConsumerType(
            name=MOVES,
            message=Move,
            tasks=(*of_moves, moves.finish_after(of_moves[-1].name)),
            options=MovesOptions,
            describe=describe,
        ),
    ]
