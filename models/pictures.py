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


def grid(rows: Sequence[np.ndarray], white: float) -> bytes:
    """A PNG of rows of images [image, height, width, channel] with grey levels 0 to `white`.

    Rows that are None leave a gap.
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
    content = io.BytesIO()
    Image.fromarray(canvas[..., 0] if channels == 1 else canvas).save(content, "PNG")
    return content.getvalue()
