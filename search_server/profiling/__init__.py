"""Planning what to measure, handing it out as leases, taking in results."""
