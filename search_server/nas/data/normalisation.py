"""What images look like to a network: normalised alike in training, in evaluation and in exported files."""

MEAN, STD = 0.45, 0.25
"""Of images 0..1, alike for all channels: a network sees (image - MEAN) / STD."""
