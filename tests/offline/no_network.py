"""No network: a socket may reach this machine alone. Imports the standard library only; children start with it too."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

LOCAL_NAMES = {"localhost", "0.0.0.0", "::", "", socket.gethostname()}
attempts: list[str] = []  # what was refused in this process, as "connect to example.org:443"


class NetworkRefused(OSError):
    """Something tried to leave this machine."""


def is_local(host: Any) -> bool:
    """Whether a host, as a socket or getaddrinfo is given it, is this machine."""
    name = host.decode() if isinstance(host, bytes) else str(host or "")
    return name in LOCAL_NAMES or name.startswith("127.") or name in ("::1", "::ffff:127.0.0.1")


def refuse(what: str) -> None:
    attempts.append(what)
    raise NetworkRefused(f"tests use no network, and something tried to {what}")


def block() -> None:
    """From now on every attempt of this process to leave the machine is refused and kept in `attempts`."""
    if getattr(socket.socket.connect, "refuses", False):
        return

    def guarded(original: Callable[..., Any], verb: str) -> Callable[..., Any]:
        def call(self: socket.socket, *args: Any) -> Any:
            address = args[-1]
            if self.family in (socket.AF_INET, socket.AF_INET6) and not is_local(address[0]):
                refuse(f"{verb} {address[0]}:{address[1]}")
            return original(self, *args)

        call.refuses = True  # type: ignore[attr-defined]
        return call

    looked_up = socket.getaddrinfo

    def getaddrinfo(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        if not is_local(host):
            refuse(f"look up {host}:{port}")
        return looked_up(host, port, *args, **kwargs)

    for name, verb in (("connect", "connect to"), ("connect_ex", "connect to"), ("sendto", "send to")):
        setattr(socket.socket, name, guarded(getattr(socket.socket, name), verb))
    socket.getaddrinfo = getaddrinfo
