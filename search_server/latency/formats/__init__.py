"""Latency tables as files: one module a format, each with what it writes, reads, or both."""
