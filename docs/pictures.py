"""Draws the pictures of the documentation from lists of boxes and arrows: ``python docs/pictures.py``.

What it draws is committed. The colours are readable on white and on black, since a page is either.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from attrs import frozen

FOLDER = Path(__file__).parent / "_static" / "pictures"
COLUMN, ROW, WIDTH, HEIGHT = 186, 92, 148, 50
FILLS = {
    "outside": ("#e6e9ed", "#6b7785"),
    "broker": ("#fff0d6", "#b7791f"),
    "pacer": ("#e3effc", "#2f6fab"),
    "end": ("#e2f4e6", "#2e7d46"),
    "bad": ("#fde6e4", "#b5433a"),
}
INK, ARROW = "#1b2733", "#717d8a"
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"
  role="img" aria-labelledby="title" font-family="system-ui, sans-serif" font-size="14">
<title id="title">{title}</title>
<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">
<path d="M0 0 8 4 0 8z" fill="{arrow}"/></marker></defs>"""


@frozen
class Box:
    """What is there: at a column and a row, counted from 0, with one or two lines of text."""

    name: str
    kind: str
    column: float
    row: float
    second: str = ""


@frozen
class Arrow:
    """What leads from one box to another, by their names; ``via`` are corners, in columns and rows."""

    start: str
    end: str
    text: str = ""
    via: tuple[tuple[float, float], ...] = ()


@frozen
class Picture:
    """One picture: ``alt`` says in words what it shows."""

    name: str
    alt: str
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]


LIFE = Picture(
    "life-of-a-message",
    "The life of a message: from its publisher by an exchange into a queue; PACER parses it, finds its key, runs "
    "its tasks at the ends, and settles it: it is acknowledged, or a copy waits in a retry queue and comes back "
    "to the queue, or it lies in the dead queue with the reason until somebody replays it.",
    [
        Box("publisher", "outside", 0, 0),
        Box("exchange", "broker", 1, 0),
        Box("queue", "broker", 2, 0),
        Box("parse", "pacer", 3, 0, "bad fields?"),
        Box("key", "pacer", 4, 0, "whose turn?"),
        Box("tasks", "pacer", 5, 0, "each once"),
        Box("ICAT, VISA, ...", "end", 5, 1.3),
        Box("settle", "pacer", 4, 1.3, "confirm, then ack"),
        Box("done", "end", 4, 2.6),
        Box("retry queue", "broker", 2, 1.3, "1 s ... 6 h"),
        Box("dead queue", "bad", 2, 2.6, "with the reason"),
    ],
    [
        Arrow("publisher", "exchange"),
        Arrow("exchange", "queue"),
        Arrow("queue", "parse"),
        Arrow("parse", "key"),
        Arrow("key", "tasks"),
        Arrow("tasks", "ICAT, VISA, ...", "write"),
        Arrow("tasks", "settle", via=((5, 0.66), (4, 0.66))),
        Arrow("settle", "done", "ack"),
        Arrow("settle", "retry queue", "later"),
        Arrow("retry queue", "queue", "its time is over"),
        Arrow("settle", "dead queue", "never", via=((3.05, 1.5), (3.05, 2.6))),
        Arrow("dead queue", "queue", "replay", via=((1, 2.6), (1, 0.62), (1.75, 0.62))),
    ],
)
TOPOLOGY = Picture(
    "topology",
    "What PACER declares at the broker: a queue bound to the publishers' exchange, beside it the dead queue, and one "
    "ladder of retry exchanges and queues for all work queues of a virtual host, out of which copies go back to "
    "their queue. A recipient is another broker's exchange.",
    [
        Box("user office", "outside", 0, 0, "publishes"),
        Box("exchange", "broker", 1, 0, "of the site"),
        Box("work queue", "broker", 2, 0, "quorum"),
        Box("worker", "pacer", 3.15, 0, "one process"),
        Box("ends", "end", 4.3, 0, "ICAT, VISA"),
        Box("recipient", "broker", 4.3, 1.3, "another broker"),
        Box("QUEUE.dead", "bad", 2, 2.6, "dead letters"),
        Box("pacer.retry.60s", "broker", 3.15, 1.3, "exchange"),
        Box("pacer.retry.60s ", "broker", 2, 1.3, "queue, keeps 60 s"),
    ],
    [
        Arrow("user office", "exchange", "key"),
        Arrow("exchange", "work queue"),
        Arrow("work queue", "worker"),
        Arrow("worker", "ends"),
        Arrow("worker", "recipient", "forwards", via=((3.73, 0.17), (3.73, 1.3))),
        Arrow("worker", "pacer.retry.60s", "a copy"),
        Arrow("pacer.retry.60s", "pacer.retry.60s "),
        Arrow("pacer.retry.60s ", "work queue", "after 60 s"),
        Arrow("worker", "QUEUE.dead", via=((2.62, 0.17), (2.62, 2.6))),
    ],
)
JOB = Picture(
    "states-of-a-job",
    "The stages of a job of pacer-pacifica: the bundle is uploading, its tar is opened, the metadata are loaded and "
    "validated by policy, files are ingested into the archive, metadata are ingested; then the job is complete. Each "
    "stage may wait and be tried again, or fail.",
    [
        Box("UPLOADING", "outside", 0, 0),
        Box("open tar", "pacer", 1, 0),
        Box("load metadata", "pacer", 2, 0),
        Box("Policy Validation", "pacer", 3, 0),
        Box("ingest files", "pacer", 3, 1.3, "or move files"),
        Box("ingest metadata", "pacer", 2, 1.3),
        Box("complete", "end", 1, 1.3, "state OK"),
        Box("FAILED", "bad", 2, 2.6, "exception says why"),
        Box("waits", "broker", 4, 0.65, "the end is away"),
    ],
    [
        Arrow("UPLOADING", "open tar"),
        Arrow("open tar", "load metadata"),
        Arrow("load metadata", "Policy Validation"),
        Arrow("Policy Validation", "ingest files"),
        Arrow("ingest files", "ingest metadata"),
        Arrow("ingest metadata", "complete"),
        Arrow("Policy Validation", "waits", via=((4, 0),)),
        Arrow("waits", "ingest files", "again", via=((4, 1.3),)),
        Arrow("ingest metadata", "FAILED", "any stage"),
    ],
)
PICTURES = (LIFE, TOPOLOGY, JOB)


def write(folder: Path = FOLDER) -> None:
    """Draw all pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for picture in PICTURES:
        (folder / f"{picture.name}.svg").write_text(draw(picture))


def draw(picture: Picture) -> str:
    """Give a picture as SVG."""
    places = {box.name: _middle(box) for box in picture.boxes}
    right = max(x for x, _ in places.values()) + WIDTH / 2 + 12
    bottom = max(y for _, y in places.values()) + HEIGHT / 2 + 12
    lines = [HEAD.format(width=f"{right:g}", height=f"{bottom:g}", title=escape(picture.alt), arrow=ARROW)]
    lines += [_arrow(arrow, places) for arrow in picture.arrows]
    lines += [_box(box) for box in picture.boxes]
    return "\n".join([*lines, "</svg>", ""])


def _middle(box: Box) -> tuple[float, float]:
    return _point(box.column, box.row)


def _point(column: float, row: float) -> tuple[float, float]:
    return 12 + WIDTH / 2 + column * COLUMN, 12 + HEIGHT / 2 + row * ROW


def _box(box: Box) -> str:
    x, y = _middle(box)
    fill, edge = FILLS[box.kind]
    texts = [(box.name.strip(), 5 if not box.second else -4, "600"), (box.second, 15, "400")]
    said = "".join(
        f'<text x="{x:g}" y="{y + down:g}" text-anchor="middle" font-weight="{weight}" fill="{INK}"'
        f' font-size="{12 if down == 15 else 14}">{escape(text)}</text>'
        for text, down, weight in texts
        if text
    )
    return (
        f'<rect x="{x - WIDTH / 2:g}" y="{y - HEIGHT / 2:g}" width="{WIDTH}" height="{HEIGHT}" rx="7" '
        f'fill="{fill}" stroke="{edge}" stroke-width="1.5"/>{said}'
    )


def _arrow(arrow: Arrow, places: dict[str, tuple[float, float]]) -> str:
    corners = [_point(*one) for one in arrow.via]
    start, end = places[arrow.start], places[arrow.end]
    points = [_edge(start, (corners or [end])[0]), *corners, _edge(end, (corners or [start])[-1])]
    path = "M" + " L".join(f"{x:g} {y:g}" for x, y in points)
    (x1, y1), (x2, y2) = max(
        pairwise(points),
        key=lambda two: abs(two[0][0] - two[1][0]) + abs(two[0][1] - two[1][1]),
    )
    upright = abs(x1 - x2) < abs(y1 - y2)
    x, y = (x1 + x2) / 2 + (6 if upright else 0), (y1 + y2) / 2 - (0 if upright else 6)
    anchor = "start" if upright else "middle"
    where = f'x="{x:g}" y="{y:g}" text-anchor="{anchor}"'
    said = f'<text {where} font-size="12" fill="{ARROW}">{escape(arrow.text)}</text>'
    line = f'<path d="{path}" fill="none" stroke="{ARROW}" stroke-width="1.6" marker-end="url(#head)"/>'
    return line + (said if arrow.text else "")


def _edge(middle: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Give where a line from the middle of a box leaves it."""
    (x, y), (tx, ty) = middle, towards
    if abs(tx - x) < WIDTH / 2:
        return tx, y + (HEIGHT / 2 + 1) * (1 if ty > y else -1)
    if abs(ty - y) < HEIGHT / 2:
        return x + (WIDTH / 2 + 1) * (1 if tx > x else -1), ty
    dx, dy = tx - x, ty - y
    if abs(dx) * HEIGHT >= abs(dy) * WIDTH:
        return x + (WIDTH / 2 + 1) * (1 if dx > 0 else -1), y + dy * (WIDTH / 2) / (abs(dx) or 1)
    return x + dx * (HEIGHT / 2) / (abs(dy) or 1), y + (HEIGHT / 2 + 1) * (1 if dy > 0 else -1)


if __name__ == "__main__":
    write()
