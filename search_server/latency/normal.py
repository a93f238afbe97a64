"""Constants of normal values, by which medians and scatter are read."""

Z_90 = 1.6449
"""Half-width of a 90 % interval, in standard deviations."""
SIGMA_OVER_MAD = 1.4826
"""Standard deviation over the median absolute deviation."""
MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean of as many."""
MEDIAN_SIZE = 0.6745
"""Median of the absolute value, in standard deviations."""
