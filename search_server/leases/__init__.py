"""Work for agents: leases handed out, model files served, results taken in."""
