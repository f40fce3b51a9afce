"""HTTP with one deadline for a whole fetch: a server that trickles cannot hold its thread.

httpx2's own timeouts begin anew with every byte.
"""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ssl import SSLContext
from threading import local
from typing import Any

import httpcore2
import httpx2
from typing_extensions import override


class DeadlineTransport(httpx2.HTTPTransport):
    """Speaks to servers; what a thread does within `deadline` ends in time."""

    def __init__(self) -> None:
        trust = httpx2.create_ssl_context(trust_env=False)
        super().__init__(verify=trust, trust_env=False)
        self._clocks = _Deadline()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=trust, network_backend=_Backend(self._clocks), keepalive_expiry=5.0
        )

    @contextmanager
    def deadline(self, seconds: float) -> Iterator[None]:
        """Let this thread wait so long for all that it asks in the block, and then fail.

        Parameters
        ----------
        seconds : float, [s]
            From now.

        Yields
        ------
        None
            While it asks.
        """
        self._clocks.at = time.monotonic() + seconds
        try:
            yield
        finally:
            self._clocks.at = math.inf


class _Deadline(local):
    at = math.inf

    def left(self, timeout: float | None, error: type[httpcore2.TimeoutException]) -> float | None:
        if self.at == math.inf:
            return timeout
        left = self.at - time.monotonic()
        if left <= 0:
            raise error("the whole fetch took too long")
        return left if timeout is None else min(left, timeout)


class _Stream(httpcore2.NetworkStream):
    def __init__(self, inner: httpcore2.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    @override
    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = self._deadline.left(timeout, httpcore2.ReadTimeout)
        return self._inner.read(max_bytes, left)

    @override
    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left(timeout, httpcore2.WriteTimeout))

    @override
    def close(self) -> None:
        self._inner.close()

    @override
    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._deadline.left(timeout, httpcore2.ConnectTimeout)
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, left), self._deadline)

    @override
    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Backend(httpcore2.NetworkBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._inner = httpcore2.SyncBackend()
        self._deadline = deadline

    @override
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        left = self._deadline.left(timeout, httpcore2.ConnectTimeout)
        stream = self._inner.connect_tcp(host, port, left, local_address, socket_options)
        return _Stream(stream, self._deadline)
