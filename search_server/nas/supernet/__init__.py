"""The supernet: layers of candidates, paths through them, a step of the weights."""
