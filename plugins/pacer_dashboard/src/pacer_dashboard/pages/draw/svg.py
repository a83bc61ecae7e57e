"""Charts drawn as SVG: shapes have attributes and classes alone, as the pages' policy allows no styles.

The plot is stretched to the width there is (``preserveAspectRatio="none"``); what is written stands beside it
at percentages, so that letters keep their size from a telephone to a wall.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from pacer_dashboard.pages.draw.chart import Chart, Line, Scale, linear, logarithmic, peaks, short_label

HEIGHT, FOOT = 168, 20
"""Pixels: the plot, and the line of times below it."""
_TALL = 1000  # units of the plot's height
_LABELS = 5


def bars(chart: Chart) -> SafeString:
    """Draw lines as bars that stand on each other: for counts that add up."""
    sums = [sum(line.values[at] or 0 for line in chart.lines) for at in range(len(chart.times))]
    scale = linear(peaks(sums))
    shapes: list[SafeString] = []
    for at, (time, figures) in enumerate(chart.rows):
        base = 0.0
        stack: list[SafeString] = []
        for line in chart.lines:
            value = line.values[at] or 0
            if value:
                low, high = scale.place(base), scale.place(base + value)
                stack.append(_bar(at, low, high, line.style))
                base += value
        said = "\n".join(f"{line.name}: {figure}" for line, figure in zip(chart.lines, figures, strict=True))
        hover = format_html('<rect class="hit" x="{}" y="0" width="10" height="{}"/>', at * 10, _TALL)
        shapes.append(
            format_html("<g><title>{}\n{}</title>{}{}</g>", time, said, mark_safe("".join(stack)), hover)  # noqa: S308 - made of format_html
        )
    return _frame(chart, scale, len(chart.times) * 10, shapes)


def curves(chart: Chart, *, log: bool = False) -> SafeString:
    """Draw lines as lines, on a scale from 0 or a logarithmic one; a line breaks where it has no figure."""
    values = [value for line in chart.lines for value in line.values if value is not None]
    if log and any(value > 0 for value in values):
        scale = logarithmic(min(value for value in values if value > 0), max(values))
    else:
        scale = linear(peaks(values), whole=False)
    shapes = [shape for line in chart.lines for shape in _curve(line, scale)]
    for at, (time, figures) in enumerate(chart.rows):
        said = "\n".join(f"{line.name}: {figure}" for line, figure in zip(chart.lines, figures, strict=True))
        shapes.append(
            format_html(
                '<g><title>{}\n{}</title><rect class="hit" x="{}" y="0" width="10" height="{}"/></g>',
                time,
                said,
                at * 10,
                _TALL,
            )
        )
    return _frame(chart, scale, len(chart.times) * 10, shapes)


def spark(values: Sequence[float], about: str, style: str = "bad") -> SafeString:
    """Draw a few figures as small as a word; ``about`` says what a person who does not see it is told."""
    top = peaks(values) or 1.0
    shapes = [
        format_html(
            '<rect class="{}" x="{}" y="{}" width="8" height="{}"/>',
            style if value else "none",
            at * 10 + 1,
            _number(100 - max(value / top * 100, 6)),
            _number(max(value / top * 100, 6)),
        )
        for at, value in enumerate(values)
    ]
    return format_html(
        '<svg class="spark" viewBox="0 0 {} 100" preserveAspectRatio="none" role="img" aria-label="{}">{}'
        "</svg>",
        max(len(values), 1) * 10,
        about,
        mark_safe("".join(shapes)),  # noqa: S308 - made of format_html
    )


def _bar(at: int, low: float, high: float, style: str) -> SafeString:
    height = max((high - low) * _TALL, 6.0)  # a single failure among thousands is still seen
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="8" height="{}"/>',
        style,
        at * 10 + 1,
        _number(_TALL * (1 - low) - height),
        _number(height),
    )


def _curve(line: Line, scale: Scale) -> Iterator[SafeString]:
    run: list[str] = []
    for at, value in enumerate((*line.values, None)):
        if value is not None:
            run.append(f"{at * 10 + 5},{_number(_TALL * (1 - scale.place(value)))}")
            continue
        if len(run) == 1:  # a figure alone: a short stroke, as a point would be stretched
            x, y = run[0].split(",")
            run = [f"{int(x) - 2},{y}", f"{int(x) + 2},{y}"]
        if run:
            yield format_html('<polyline class="{}" points="{}"/>', line.style, " ".join(run))
        run = []


def _frame(chart: Chart, scale: Scale, width: int, shapes: Sequence[SafeString]) -> SafeString:
    rules = format_html_join(
        "",
        '<line class="rule" x1="0" x2="{}" y1="{}" y2="{}"/>',
        ((width, y, y) for y in (_number(_TALL * (1 - scale.place(tick))) for tick in scale.ticks)),
    )
    heights = format_html_join(
        "",
        '<text x="0" y="{}">{}</text>',
        (
            (_number(max(HEIGHT * (1 - scale.place(tick)) + 12, 12)), chart.form(tick))
            for tick in scale.ticks[1:]
        ),
    )
    return format_html(
        '<svg class="chart" width="100%" height="{}" role="img" aria-label="{}">'
        '<svg x="0" y="1" width="100%" height="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">{}{}</svg>'
        '<g class="said" aria-hidden="true">{}{}</g></svg>',
        HEIGHT + FOOT,
        chart.title,
        HEIGHT,
        max(width, 10),
        _TALL,
        rules,
        mark_safe("".join(shapes)),  # noqa: S308 - made of format_html
        heights,
        _times(chart),
    )


def _times(chart: Chart) -> SafeString:
    count = len(chart.times)
    if not count:
        return mark_safe("")
    span = chart.step * count
    wanted = min(_LABELS, count)
    at = sorted({round(part * (count - 1) / max(wanted - 1, 1)) for part in range(wanted)})
    return format_html_join(
        "",
        '<text x="{}%" y="{}" text-anchor="{}">{}</text>',
        (
            (
                _number(
                    100 * (0 if one == 0 else 1 if one == count - 1 and count > 1 else (one + 0.5) / count)
                ),
                HEIGHT + FOOT - 5,
                "start" if one == 0 else "end" if one == count - 1 else "middle",
                short_label(chart.times[one], chart.step, span),
            )
            for one in at
        ),
    )


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
