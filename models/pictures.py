"""Generated images as a grid in a PNG file: one row a replicate."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

LEAST_SIDE = 32
"""Pixels of the picture that an image is at least wide: small images are enlarged by whole numbers."""

GAP = 2
PAPER = 255


TITLE_HEIGHT = 22
DPI = 100
POINTS = 9.0
"""Of the title, which is set smaller where it would not fit."""


def grid(rows: Sequence[np.ndarray | None], white: float, title: str | None = None) -> bytes:
    """A PNG of rows of images [image, height, width, channel] with grey levels 0 to `white`.

    Rows that are None leave a gap; a title stands above.
    """
    first = next(row for row in rows if row is not None)
    count, height, width, channels = first.shape
    factor = max(-(-LEAST_SIDE // max(height, width)), 1)
    tall, wide = height * factor + GAP, width * factor + GAP
    canvas = np.full((len(rows) * tall + GAP, count * wide + GAP, channels), PAPER, np.uint8)
    for down, row in enumerate(rows):
        for right, image in enumerate(() if row is None else row):
            levels = np.clip(np.round(image / white * 255), 0, 255).astype(np.uint8)
            large = levels.repeat(factor, 0).repeat(factor, 1)
            top, left = GAP + down * tall, GAP + right * wide
            canvas[top : top + height * factor, left : left + width * factor] = large
    if title is not None:
        band = _band(title, canvas.shape[1])
        canvas = np.concatenate([band.repeat(channels, 2), canvas])
    content = io.BytesIO()
    Image.fromarray(canvas[..., 0] if channels == 1 else canvas).save(content, "PNG")
    return content.getvalue()


def _band(title: str, wide: int) -> np.ndarray:
    """The title as grey levels [height, width, 1], as wide as the picture."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure((wide / DPI, TITLE_HEIGHT / DPI), dpi=DPI, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    text = figure.text(GAP / wide, 0.5, title, va="center", fontsize=POINTS)
    taken = text.get_window_extent(canvas.get_renderer()).width
    text.set_fontsize(POINTS * min(1.0, (wide - 2 * GAP) / taken))
    canvas.draw()
    drawn = np.asarray(canvas.buffer_rgba())[..., :1]
    band = np.full((TITLE_HEIGHT, wide, 1), PAPER, np.uint8)  # a figure's size is rounded to whole pixels
    height, width = min(TITLE_HEIGHT, drawn.shape[0]), min(wide, drawn.shape[1])
    band[:height, :width] = drawn[:height, :width]
    return band
