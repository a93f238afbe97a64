"""How leases reach the agent and results leave it: it serves HTTP, or it dials out."""
