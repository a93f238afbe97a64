"""What agent and server say to each other: devices, leases, results, and the two clients."""
