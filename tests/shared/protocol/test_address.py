import pytest

from shared.protocol.address import checked_address, checked_agent_url


@pytest.mark.parametrize(
    "url",
    [
        "http://192.168.1.20:8000",
        "https://nas.example.org",
        "http://[fd00::20]:65535",
        "http://[::1]",
        "http://board.local:1/edgenas",
    ],
)
def test_an_address_stays_as_it_is(url: str) -> None:
    assert checked_address(url) == checked_address(url + "/") == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://x:70000", r"port 70000 lies outside 1\.\.65535"),
        ("http://x:0", r"port 0 lies outside 1\.\.65535"),
        ("http://x:abc", "port 'abc' is no number"),
        ("http://x:", "port '' is no number"),
        ("http://[fd00::20]:70000", "port 70000 lies outside"),
        ("http://::1:8000", "stands in brackets"),
        ("http://[::1", "(?i)invalid IPv6"),
        ("http://[nonsense]:8000", "nonsense"),
        ("http://a b:8000", "space"),
        (" http://a:8000", "space"),
        ("http://a:8000\n", "space"),
        ("https://", "names no host"),
        ("http://:8000", "names no host"),
        ("https:///devices", "names no host"),
        ("192.168.1.20:8000", "must begin with http:// or https://"),
        ("ftp://a", "must begin with http:// or https://"),
        ("http://a/?token=b", "must end before"),
    ],
)
def test_what_is_no_address_is_told_in_one_line(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as caught:
        checked_address(url)
    assert "\n" not in str(caught.value)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="no user name and no password") as caught:
        checked_address("http://anna:geheim@host:8000")
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://192.168.1.20:8765", "https://[fd00::20]", "http://board.local:8765", "http://pi_4."]
)
def test_an_agent_is_called_at_its_host_and_port(url: str) -> None:
    assert checked_agent_url(url) == checked_agent_url(url + "/") == url


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://0177.0.0.1", "neither a host name nor an IP address"),
        ("http://0x7f.1:8765", "neither a host name nor an IP address"),
        ("http://2130706433", "neither a host name nor an IP address"),
        ("http://127.1", "neither a host name nor an IP address"),
        ("http://" + "a" * 64 + ".de", "neither a host name nor an IP address"),
        ("http://a%2fb:8765", "neither a host name nor an IP address"),
        ("http://a:8765/v1/device", "must end behind host and port, before '/v1/device'"),
        ("http://a:8765/?token=b", "must end before"),
        ("http://" + "a." * 250 + "de", "at most 500"),
    ],
)
def test_an_agent_is_called_nowhere_else(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        checked_agent_url(url)
