"""Ids in part: a beginning or an end is enough where it is the only one, and else the choices are named."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from search_server.client import ServerRefusedError
from search_server.db.models import JobRow
from search_server.people import add_user
from search_server.tokens import create_token
from tests.client.conftest import Edgenas
from tests.client.served import Served, table

EARLY, LATE = "job_0006534f2c1a9e4b1f0c22", "job_0006534f2c1a9fd00dcafe"


def add_searches(served: Served, *job_ids: str, owner: str = "shared", is_private: bool = False) -> None:
    device_id = served.enrol(f"of-{job_ids[0]}").device_id
    with served.database.transaction() as session:
        for job_id in job_ids:
            session.add(
                JobRow(
                    job_id=job_id,
                    kind="search",
                    status="cancelled",
                    device_id=device_id,
                    space="fbnet-tiny",
                    conditions={"runtime": "simulated"},
                    conditions_key="-",
                    request={"device": "bench", "space": "fbnet-tiny", "data": "digits", "target_ms": 0.5},
                    owner=owner,
                    is_private=is_private,
                    created_at=datetime(2026, 11, 28, tzinfo=UTC),
                )
            )


def test_a_beginning_and_an_end_of_an_id_are_enough(served: Served, edgenas: Edgenas) -> None:
    add_searches(served, EARLY, LATE)
    for part in (EARLY, "0c22", "job_0006534f2c1a9e", "0006534f2c1a9e"):
        shown = edgenas("search", "show", part)
        assert (shown.exit_code, EARLY in shown.stdout) == (0, True), (part, shown.stderr)


def test_an_ambiguous_part_names_the_choices(served: Served, edgenas: Edgenas) -> None:
    add_searches(served, EARLY, LATE)
    refused = edgenas("search", "show", "0006534f")
    assert refused.exit_code == 2
    assert EARLY in refused.stderr
    assert LATE in refused.stderr
    assert "search, cancelled, fbnet-tiny, 2026-11-28 00:00" in refused.stderr
    unknown = edgenas("search", "show", "ffff")
    assert unknown.exit_code == 1
    assert "no search job 'ffff'" in unknown.stderr
    assert "no search job '0c2'" in edgenas("search", "show", "0c2").stderr  # too short to be looked for


def test_tables_and_models_are_found_by_a_part(served: Served, edgenas: Edgenas) -> None:
    device_id = served.enrol().device_id
    one, other = served.store(table(device_id)), served.store(table(device_id, scale=2.0))
    assert f"{one[:6]}" in edgenas("tables", "show", one[:6]).stdout
    diff = edgenas("tables", "diff", one[:6], other[-6:])
    assert "2.000 (median of the cells)" in diff.stdout, diff.stderr
    predicted = edgenas(
        "predict",
        "-d",
        "bench",
        "-s",
        "fbnet-tiny",
        "--runtime",
        "simulated",
        "--snapshot",
        other[:8],
        "k3_e1",
    )
    assert other in predicted.stdout


def test_rest_takes_whole_ids_and_hides_what_is_private(served: Served) -> None:
    now = datetime.now(UTC)
    with served.database.transaction() as session:
        add_user(session, "alice", now)
        alices = create_token(session, "user", now, owner="alice")
    add_searches(served, EARLY)
    add_searches(served, LATE, owner="alice", is_private=True)
    with served.client() as client, replace(served, token=alices).client() as alice:
        assert [each.id for each in client.known_ids("0006534f", "search")] == [EARLY]
        assert {each.id for each in alice.known_ids("0006534f", "job")} == {EARLY, LATE}
        assert client.known_ids("%%%%", "job") == ()
        with pytest.raises(ServerRefusedError):
            client.search("0c22")
        with pytest.raises(ServerRefusedError):
            client.known_ids("0c2", "job")
