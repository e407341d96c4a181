"""The listening socket, bound before anything else is started."""

import errno
import socket
import time

RETRY_S = 0.1


class PortTaken(Exception):
    """The address cannot be bound; the message is one line for the command line."""


def bound_socket(host: str, port: int, *, wait_s: float = 0) -> socket.socket:
    """Return a socket that is bound and does not listen yet.

    :param wait_s: how long to retry while another process listens on the port.
    :raises PortTaken:
    """
    deadline = time.monotonic() + wait_s
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
