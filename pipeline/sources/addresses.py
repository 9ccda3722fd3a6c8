"""Which machines may be contacted: the public internet, and the private networks that the operator allows.

In: the host of a URL. Out: a connection to an address of it that was checked. The name is resolved once and the
connection goes to the address that was checked, so a name server cannot answer differently a moment later (DNS
rebinding); certificates are still verified against the name. As every redirect is a new connection to a new URL, it
passes here too.
"""

from __future__ import annotations

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpcore

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
#: Host and port -> addresses, in the order to try them.
Resolve = Callable[[str, int], list[str]]

# IPv4 addresses in IPv6 clothes (NAT64, RFC 6052), and all that is public in IPv6 (RFC 4291).
NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
PUBLIC_IPV6 = ipaddress.IPv6Network("2000::/3")


class RefusedAddress(Exception):
    """The host is at an address that must not be contacted."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of ``host``, by the system's resolver. Raises ``OSError``."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[4][0]) for address in found))


def is_allowed(address: str, networks: Iterable[Network]) -> bool:
    """Whether ``address`` is a public one, or in one of ``networks``."""
    try:
        # A scope ("%eth0") marks a link-local address; the number before it says so too.
        plain = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    meant = _embedded(plain)
    if any(each.version == network.version and each in network for each in (plain, meant) for network in networks):
        return True
    if isinstance(meant, ipaddress.IPv6Address) and meant not in PUBLIC_IPV6:
        return False
    return meant.is_global and not meant.is_multicast


def _embedded(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


class CheckedBackend(httpcore.NetworkBackend):
    """Opens connections to addresses that are allowed, and ends them at a deadline.

    ``deadline``: the moment (``time.monotonic``) at which every wait ends, set before each request. One thread uses
    one backend.
    """

    def __init__(self, networks: Iterable[str], resolver: Resolve = resolve) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]
        self._resolve = resolver
        self._inner = httpcore.SyncBackend()
        self.deadline = float("inf")

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to the first address of ``host`` that answers. Raises ``RefusedAddress`` if any is not allowed."""
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved ({error})") from error
        for address in addresses:
            if not is_allowed(address, self._networks):
                raise RefusedAddress(f"{host} is at {address}, which is not a public address")
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(address, port, self.remaining(timeout), local_address, socket_options)
                return _Stream(stream, self)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def remaining(self, timeout: float | None) -> float:
        """``timeout``, or the time until the deadline where that is less. Raises ``httpcore.ReadTimeout`` past it."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer took longer than total_timeout")
        return left if timeout is None else min(timeout, left)

    def sleep(self, seconds: float) -> None:
        """Nothing here waits: connections are retried by the client, with its own pauses."""


class _Stream(httpcore.NetworkStream):
    """A connection whose every wait ends at the deadline: an endless trickle of bytes is no way around a timeout."""

    def __init__(self, inner: httpcore.NetworkStream, backend: CheckedBackend) -> None:
        self._inner = inner
        self._backend = backend

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._backend.remaining(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._backend.remaining(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._inner.start_tls(ssl_context, server_hostname, self._backend.remaining(timeout))
        return _Stream(stream, self._backend)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)
