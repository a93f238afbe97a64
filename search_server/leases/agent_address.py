"""Which agents the server may call: a guard against being sent to where it should not look.

Nothing is allowed until an operator names networks. A name is resolved once, the address is checked,
and the connection goes to that very address: a name that resolves differently a moment later, or a
redirect, leads nowhere. Link-local and metadata addresses are refused whatever the operator allows.
"""

import asyncio
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

from shared.protocol.address import checked_agent_url
from shared.protocol.call_agent import AgentError

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

METADATA_ADDRESSES = frozenset(map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")))


def require_allowed(address: Address, networks: Sequence[Network]) -> None:
    """Accept an address that may be called.

    Raises:
        AgentError: it lies in no allowed network, or is never allowed.
    """
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    is_never_allowed = (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in METADATA_ADDRESSES
    )
    if is_never_allowed:
        raise AgentError(f"address {address} is never called: it is link-local, multicast or metadata")
    if not any(address in network for network in networks):
        allowed = ", ".join(map(str, networks)) or "none"
        raise AgentError(
            f"address {address} lies in no network in which agents may be called ({allowed}); an operator "
            "can allow one with EDGENAS_AGENT_NETWORKS, such as '[\"192.168.1.0/24\"]'"
        )


async def resolve_agent(url: str, networks: Sequence[Network]) -> Address:
    """Return the one address to connect to for an agent's URL.

    Raises:
        AgentError: not http or https, not resolvable, or not allowed.
    """
    try:
        parsed = httpx.URL(checked_agent_url(url))
    except ValueError as error:
        raise AgentError(str(error)) from error
    try:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(parsed.host, parsed.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:  # a label of the name is too long for IDNA
        raise AgentError(f"host {parsed.host!r} cannot be resolved: {error}") from error
    address = ip_address(found[0][4][0])
    require_allowed(address, networks)
    return address


class PinnedTransport(httpx.AsyncBaseTransport):
    """Connects to one address, whatever a request's URL resolves to; names stay in Host and TLS."""

    def __init__(self, address: Address, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._address = address
        self._transport = transport or httpx.AsyncHTTPTransport(trust_env=False)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request to the pinned address."""
        request.extensions["sni_hostname"] = request.url.host
        request.url = request.url.copy_with(host=str(self._address))
        return await self._transport.handle_async_request(request)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()
