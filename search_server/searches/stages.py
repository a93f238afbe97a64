"""Where each stage of a search job ends, as a share of the whole."""

SEARCHED = 0.5
MEASURED = 0.6
TRAINED = 0.98
