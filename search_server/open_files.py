"""How many files the server may have open: each agent that waits for work is one."""

import resource

import structlog

NEEDED_BESIDE_AGENTS = 200
"""Connections to the database, files, and the connections of people."""
USUAL_NUM_AGENTS = 1000

_log = structlog.get_logger()


def raise_open_files() -> int:
    """Raise the soft limit to the hard one and return it; log a warning if it is low."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < USUAL_NUM_AGENTS + NEEDED_BESIDE_AGENTS:
        _log.warning(
            "few files may be open at once; for more agents raise the hard limit (ulimit -Hn, or "
            "LimitNOFILE of systemd)",
            max_open_files=hard,
            max_agents=max(0, hard - NEEDED_BESIDE_AGENTS),
        )
    return hard
