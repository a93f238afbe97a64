"""The resources of the REST interface as plain data, a file a noun.

Routes answer with them, the client reads them. Latencies are microseconds, times are UTC in ISO 8601,
identifiers are opaque strings. A class named ``*Create`` or ``*Update`` is a request body; all others are
answers.
"""
