"""Workloads as the model files that runtimes load, one writer a format."""
