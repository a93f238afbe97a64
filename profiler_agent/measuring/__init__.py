"""How a lease is measured: in a process of its own, in rounds, judged for stability."""
