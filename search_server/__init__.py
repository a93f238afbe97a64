"""The central server: latency database, differentiable search, and the client that people use."""
