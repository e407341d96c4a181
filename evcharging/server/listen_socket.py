"""The port, tried before anything is started."""

import errno
import socket
import time

RETRY_S = 0.1


class PortTaken(Exception):
    """The port cannot be listened on; the message is one line for whoever started us."""


def bound_socket(host: str, port: int, *, patience_s: float = 0) -> socket.socket:
    """Return a socket bound to the port, which does not listen yet.

    :param patience_s: how long to wait for others who listen on it to end.
    :raises PortTaken: it cannot be had.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return _bound(host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() > deadline:
                raise PortTaken(
                    f"cannot listen on {host}:{port}: {error.strerror or error} (set PORT or BIND to another)"
                ) from None
        time.sleep(RETRY_S)


def _bound(host: str, port: int) -> socket.socket:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError:
        bound.close()
        raise
    return bound
