"""The calls that were admitted and the pace's rate against the hidden limit over time, one panel a case."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.pace.cases import MINUTE
from benchmarks.pace.measure import Measured

COLUMNS = 3
PANEL_IN = (5.0, 2.6)
SMOOTHED_S = 5


def draw(measured: Sequence[Measured], file: Path) -> None:
    """SVG or PNG, or whatever else the file's suffix says. Raises OSError, and ValueError for an unknown suffix."""
    rows = ceil(len(measured) / COLUMNS)
    figure = Figure(figsize=(PANEL_IN[0] * COLUMNS, PANEL_IN[1] * rows), layout="constrained")
    panels = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    for panel, each in zip(panels, measured, strict=False):
        _draw(panel, each)
    for panel in panels[len(measured) :]:
        panel.set_axis_off()
    figure.savefig(file)


def _draw(panel: Axes, measured: Measured) -> None:
    outcome, figures = measured.outcome, measured.figures
    minutes = [second / MINUTE for second in range(len(outcome.seconds))]
    admitted = [admitted for admitted, _ in outcome.seconds]
    refused = [second / MINUTE for second, (_, refused) in enumerate(outcome.seconds) if refused]
    limits = [outcome.limit_at(second) for second in range(len(outcome.seconds))]
    rated = [(each.at_s - outcome.began_s) / MINUTE for each in outcome.rates]
    panel.plot(minutes, smoothed(admitted), color="tab:blue", linewidth=0.9, label="admitted/s")
    panel.plot(rated, [each.rate for each in outcome.rates], color="tab:orange", linewidth=1.0, label="rate")
    panel.plot(minutes, limits, color="black", linestyle="--", linewidth=0.8, label="hidden limit")
    panel.plot(refused, [0.0] * len(refused), "|", color="tab:red", label="451")
    panel.set_title(
        f"{outcome.case.label}\nuse {figures['utilisation']:.1%}, 451 {figures['share_451']:.2%}", fontsize=8
    )
    panel.set_ylim(bottom=-0.05 * max(limits), top=1.5 * max(limits))
    panel.set_xlabel("minutes", fontsize=7)
    panel.tick_params(labelsize=7)
    panel.legend(fontsize=6, loc="lower right")


def smoothed(values: Sequence[float]) -> list[float]:
    """Means of SMOOTHED_S seconds, fewer at the ends."""
    half = SMOOTHED_S // 2
    stretches = [values[max(0, place - half) : place + half + 1] for place in range(len(values))]
    return [sum(stretch) / len(stretch) for stretch in stretches]
