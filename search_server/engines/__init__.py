"""Engines: where the processes of a job run. A job's functions know nothing of them; see ``engine.py``."""
