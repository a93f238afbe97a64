"""A built-in measurement that tells whether this device gives numbers one can trust."""
