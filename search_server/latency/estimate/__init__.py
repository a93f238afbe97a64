"""Samples become a table: statistics alone, no HTTP and no SQL."""
