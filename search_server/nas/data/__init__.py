"""Labelled images: found, decoded, split, in batches."""
