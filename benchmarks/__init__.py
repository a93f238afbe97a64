"""Each claim of the README as one command: ``python -m benchmarks.NAME``.

The last line that a benchmark prints is one JSON object with its figures, n and the machine. Figures are
ratios, or stand beside a baseline of the same run: absolute times of shared machines mean little.
"""
