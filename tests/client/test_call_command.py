"""An agent that listens is called once the server knows where, and with which token."""

from search_server.db.models import DeviceRow
from tests.client.conftest import Edgenas
from tests.client.served import Served


def test_the_server_gets_address_and_token(served: Served, edgenas: Edgenas) -> None:
    device_id = served.enrol().device_id
    done = edgenas(
        "devices", "call", "bench", "--at", "http://127.0.0.1:8070", input_text="edg_agent_secret_of_it\n"
    )
    assert done.exit_code == 0, done.stderr
    assert "edg_agent_secret_of_it" not in done.output
    with served.database.reading() as session:
        row = session.get_one(DeviceRow, device_id)
        assert (row.agent_url, row.agent_token) == ("http://127.0.0.1:8070", "edg_agent_secret_of_it")
    assert edgenas("devices", "call", "bench", "--at", "nowhere", input_text="x\n").exit_code == 2
