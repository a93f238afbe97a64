"""A search as a job: from the request to the exported network."""
