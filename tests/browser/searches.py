"""Searches on a served server."""

from search_server.resources.searches import SearchCreate
from tests.client.served import CONDITIONS, Served


def submit(served: Served, name: str = "", target_ms: float = 0.55) -> str:
    """Queue a search on device bench; its id."""
    with served.client() as client:
        create = SearchCreate(
            "bench", "fbnet-tiny", "digits", target_ms=target_ms, name=name, conditions=CONDITIONS
        )
        return client.start_search(create).job.job_id
