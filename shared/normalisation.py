"""What images look like to a network: normalised alike in training, in timing and in exported files.

A network takes ``(image / 255 - MEAN) / STD = (image - OFFSET) / DIVISOR``. The division is folded into
the first convolution of a file. The offset has to be subtracted before it: folded into the bias, it would
be wrong at the borders, where the convolution pads with zeros.
"""

MEAN, STD = 0.45, 0.25
"""Of images 0..1, alike for all channels and data sets: near those of ImageNet; batch norms do the rest."""

OFFSET, DIVISOR = 255 * MEAN, 255 * STD
"""Of images 0..255."""
