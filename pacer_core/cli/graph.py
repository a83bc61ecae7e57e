"""``pacer config graph``: what a message passes, from its exchange to the ends, as Mermaid or SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import count

from attrs import define, field, frozen

from pacer_core.config.model import Config, ConsumerPlan

COLUMNS = ("exchanges", "queues", "consumers", "tasks", "ends")
_WIDTH, _HEIGHT, _GAP, _BETWEEN, _HEAD = 222, 30, 12, 130, 40
_LONGEST, _LONGEST_LABEL = 30, 22
"""Characters that fit into a box, and between two; the whole name comes up under the pointer."""
"""Characters that fit into a box."""


@frozen
class Node:
    """One box: which column it is in, and what it says."""

    id: str
    column: int
    text: str
    off: bool = False


@define
class Graph:
    """Boxes and the arrows between them, each with its words."""

    nodes: dict[tuple[int, str], Node] = field(factory=dict)
    arrows: dict[tuple[str, str], str] = field(factory=dict)
    _numbers: Iterator[int] = field(factory=count)

    def node(self, column: int, name: str, text: str | None = None, *, off: bool = False) -> Node:
        """Give the box of that name in a column, a new one where there is none."""
        key = column, name
        if key not in self.nodes:
            self.nodes[key] = Node(f"n{next(self._numbers)}", column, text or name, off)
        return self.nodes[key]

    def arrow(self, first: Node, second: Node, words: str = "") -> None:
        """Draw an arrow, once."""
        self.arrows.setdefault((first.id, second.id), words)


def graph(config: Config) -> Graph:
    """Give exchanges, queues, consumers, tasks and ends of a configuration, and what leads where."""
    made = Graph()
    for exchange in config.exchanges:
        made.node(0, exchange.name, f"{exchange.name} ({exchange.type})")
    for queue in config.queues:
        box = made.node(1, queue.name)
        if queue.exchange is not None:
            key = queue.routing_key if queue.routing_key is not None else queue.name
            made.arrow(made.node(0, queue.exchange), box, key)
    for plan in (*config.consumers, *config.disabled):
        _consumer(made, plan, off=plan in config.disabled)
    for recipient in config.recipients:
        for rule in recipient.forwarding_rules:
            to = made.node(4, f"broker {rule.to_broker or recipient.name}")
            made.arrow(
                made.node(0, rule.from_exchange, rule.from_exchange or "(default)"), to, rule.with_routing_key
            )
    for service in config.services:
        box = made.node(0, f"service {service.name}")
        for name in service.destinations:
            made.arrow(box, made.node(2 if (2, name) in made.nodes else 1, name))
    return made


def _consumer(made: Graph, plan: ConsumerPlan, *, off: bool) -> None:
    box = made.node(2, plan.name, f"{plan.name} (off)" if off else None, off=off)
    for queue in plan.config.queues:
        made.arrow(made.node(1, queue), box)
    for task in plan.pipeline.tasks:
        step = made.node(3, f"{plan.name}/{task.name}", task.name, off=off)
        made.arrow(box, step)
        for need in task.needs:
            made.arrow(step, made.node(4, plan.integrations[need.name].name))
        for before in task.after:
            if (3, f"{plan.name}/{before}") in made.nodes:
                made.arrow(made.nodes[3, f"{plan.name}/{before}"], step, "then")


def mermaid(drawn: Graph) -> str:
    """Write a graph for Mermaid, which GitHub, GitLab and many wikis draw."""
    lines = ["flowchart LR"]
    for column, title in enumerate(COLUMNS):
        boxes = [one for one in drawn.nodes.values() if one.column == column]
        if boxes:
            lines.append(f"  subgraph {title}")
            lines += [f'    {one.id}["{_entities(one.text)}"]' for one in boxes]
            lines.append("  end")
    for (first, second), words in drawn.arrows.items():
        label = f'|"{_entities(words)}"|' if words else ""
        lines.append(f"  {first} -->{label} {second}")
    if off := [one.id for one in drawn.nodes.values() if one.off]:
        lines += ["  classDef off stroke-dasharray: 4", f"  class {','.join(off)} off"]
    return "\n".join(lines) + "\n"


def _entities(text: str) -> str:
    """Write a text so that Mermaid only shows it."""
    return "".join(one if one.isalnum() or one in " -_./*:()" else f"#{ord(one)};" for one in text)


_HEAD_OF_FILE = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"
 font-size="12" role="img" aria-label="What a message passes">
<style>
svg{{background:#fff}} .box{{fill:#fff;stroke:#456}} .off{{stroke-dasharray:4}} .line{{fill:none;stroke:#789}}
text{{fill:#123}} .head{{font-weight:bold}}
.label{{font-size:10px;fill:#567;text-anchor:end;paint-order:stroke;stroke:#fff;stroke-width:3px}}
@media(prefers-color-scheme:dark){{svg{{background:#1a1d21}} .box{{fill:#223}}
text{{fill:#eee}} .label{{fill:#abc;stroke:#1a1d21}}}}
</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0L8 4L0 8z" fill="#789"/></marker></defs>"""


def svg(drawn: Graph) -> str:
    """Draw a graph: a column of boxes for each step of a message's way. Nothing in it is run or fetched."""
    places = _placed(drawn)
    tallest = max((y for _, y in places.values()), default=0) + _HEIGHT + _GAP
    width = len(COLUMNS) * (_WIDTH + _BETWEEN) - _BETWEEN + 2 * _GAP
    parts = [_HEAD_OF_FILE.format(width=width, height=tallest)]
    for column, title in enumerate(COLUMNS):
        parts.append(f'<text class="head" x="{_GAP + column * (_WIDTH + _BETWEEN)}" y="24">{title}</text>')
    parts += [_line(places, first, second, words) for (first, second), words in drawn.arrows.items()]
    parts += [_box(one, *places[one.id]) for one in drawn.nodes.values()]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _placed(drawn: Graph) -> dict[str, tuple[int, int]]:
    """Give each box its place: beside what leads to it, as far as the column is free there."""
    places: dict[str, tuple[int, int]] = {}
    for column in range(len(COLUMNS)):
        boxes = [one for one in drawn.nodes.values() if one.column == column]

        def wanted(box: Node) -> float:
            above = [places[a][1] for a, b in drawn.arrows if b == box.id and a in places]
            return sum(above) / len(above) if above else 0

        wishes = {one.id: wanted(one) for one in boxes}
        for number, box in enumerate(sorted(boxes, key=lambda one: wishes[one.id])):
            places[box.id] = _GAP + column * (_WIDTH + _BETWEEN), _HEAD + number * (_HEIGHT + _GAP)
    return places


def _box(one: Node, x: int, y: int) -> str:
    short = one.text if len(one.text) <= _LONGEST else f"{one.text[: _LONGEST - 1]}…"
    kind = "box off" if one.off else "box"
    return (
        f'<g><title>{escape(one.text)}</title><rect class="{kind}" x="{x}" y="{y}" width="{_WIDTH}" '
        f'height="{_HEIGHT}" rx="4"/><text x="{x + 8}" y="{y + 19}">{escape(short)}</text></g>'
    )


def _line(places: dict[str, tuple[int, int]], first: str, second: str, words: str) -> str:
    (x1, y1), (x2, y2) = places[first], places[second]
    middle = _HEIGHT // 2
    if x1 == x2:  # two tasks, one after the other
        x = x1 + _WIDTH
        path = f"M{x} {y1 + middle}C{x + 30} {y1 + middle} {x + 30} {y2 + middle} {x} {y2 + middle}"
        return f'<path class="line" marker-end="url(#tip)" d="{path}"/>'
    start, bend = x1 + _WIDTH, (x1 + _WIDTH + x2) // 2
    path = f"M{start} {y1 + middle}C{bend} {y1 + middle} {bend} {y2 + middle} {x2} {y2 + middle}"
    # At its end, since many begin at one box and few end at one.
    fits = words if len(words) <= _LONGEST_LABEL else f"{words[: _LONGEST_LABEL - 1]}…"
    said = f"{escape(fits)}<title>{escape(words)}</title>"
    label = f'<text class="label" x="{x2 - 9}" y="{y2 + middle - 4}">{said}</text>' if words else ""
    return f'<path class="line" marker-end="url(#tip)" d="{path}"/>{label}'
