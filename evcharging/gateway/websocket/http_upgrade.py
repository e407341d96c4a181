"""HTTP upgrade: moves the connection of a handshake request from Daphne's HTTP channel to an ASGIWebSocket."""
# ruff: noqa: N802  (Twisted's and autobahn's names)

import logging
from typing import Any
from urllib.parse import unquote_to_bytes

from daphne.http_protocol import HTTPFactory, WebRequest
from daphne.utils import HEADER_NAME_RE, parse_x_forwarded_for
from twisted.protocols.policies import ProtocolWrapper

logger = logging.getLogger(__name__)


class UpgradeRequest(WebRequest):
    """An HTTP request; Daphne handles it unless it asks for a WebSocket."""

    def process(self) -> Any:
        upgrades = b",".join(self.requestHeaders.getRawHeaders(b"upgrade", []))
        if b"websocket" not in [token.strip().lower() for token in upgrades.split(b",")]:
            return super().process()
        try:
            self.upgrade()
        except Exception:
            logger.exception("%s: the handshake failed", self.client)
            self.channel.transport.abortConnection()

    def handle_exception(self, exception: BaseException) -> None:
        if self._response_started:
            # Daphne would start a second response, and the exception of that would end its `application_checker`.
            self.channel.transport.abortConnection()
        else:
            super().handle_exception(exception)

    def upgrade(self) -> None:
        """Hand the connection to an ASGIWebSocket.

        autobahn gets only the headers that it has to check: version, key and subprotocols. No other header can break
        the handshake then (chargers send an Origin without a host, bytes outside ASCII, and Autel's no `Connection:
        Upgrade`), and no extension is negotiated, permessage-deflate neither.
        """
        protocol = self.server.ws_factory.buildProtocol(self.client)
        transport, self.transport = self.channel.transport, None
        transport.unregisterProducer()
        if isinstance(transport, ProtocolWrapper):  # TLS
            transport.wrappedProtocol = protocol
        else:
            transport.protocol = protocol
        self.channel.rawDataReceived = protocol.dataReceived  # bytes that arrived in one segment with the request
        self.server.connections.pop(self, None)
        protocol.makeConnection(transport)
        if self.server.stopping:
            protocol.refuse(503)
            return
        try:
            scope = self.websocket_scope()
            handshake = self.reduced_handshake(scope["subprotocols"])
        except ValueError as error:  # UnicodeDecodeError is one
            logger.info("%s: malformed handshake: %s", self.client, error)
            protocol.refuse(400, body=b"malformed header")
            return
        protocol.start(self.server, scope, handshake)

    def reduced_handshake(self, subprotocols: list[str]) -> bytes:
        lines = [
            self.method + b" / HTTP/1.1",
            b"Host: localhost",
            b"Upgrade: websocket",
            b"Connection: Upgrade",
        ]
        for name in (b"Sec-WebSocket-Version", b"Sec-WebSocket-Key"):
            for value in self.requestHeaders.getRawHeaders(name, []):
                lines.append(name + b": " + " ".join(value.decode("ascii").split()).encode())
        if subprotocols:
            lines.append(b"Sec-WebSocket-Protocol: " + ",".join(subprotocols).encode())
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def websocket_scope(self) -> dict[str, Any]:
        """Return the ASGI scope; header values and `raw_path` are the bytes that were sent.

        :raises ValueError: a subprotocol is not a token, or a forwarded address is not text.
        """
        offered = b",".join(self.requestHeaders.getRawHeaders(b"sec-websocket-protocol", []))
        subprotocols = dict.fromkeys(token.strip() for token in offered.split(b",") if token.strip())
        if not all(HEADER_NAME_RE.fullmatch(token) for token in subprotocols):
            raise ValueError(f"Sec-WebSocket-Protocol: {offered!r}")
        client = server = None
        if hasattr(self.client, "host"):
            client, server = [str(self.client.host), self.client.port], [str(self.host.host), self.host.port]
        scheme = "https" if self.isSecure() else "http"
        client, scheme = parse_x_forwarded_for(
            self.requestHeaders,
            self.server.proxy_forwarded_address_header,
            self.server.proxy_forwarded_port_header,
            self.server.proxy_forwarded_proto_header,
            client,
            scheme,
        )
        raw_path, _, query_string = self.uri.partition(b"?")
        if not raw_path.startswith(b"/"):  # absolute-form (RFC 9112 §3.2.2)
            raw_path = b"/" + raw_path.partition(b"://")[2].partition(b"/")[2]
        return {
            "type": "websocket",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self.clientproto.rpartition(b"/")[2].decode(),
            "scheme": "wss" if scheme == "https" else "ws",
            "path": unquote_to_bytes(raw_path).decode(errors="replace"),
            "raw_path": raw_path,
            "root_path": self.server.root_path,
            "query_string": query_string,
            # Without names that contain _: WSGI-style code reads them as - (CVE-2015-0219).
            "headers": [
                (name.lower(), value)
                for name, values in self.requestHeaders.getAllRawHeaders()
                for value in values
                if b"_" not in name
            ],
            "client": client,
            "server": server,
            "subprotocols": [token.decode() for token in subprotocols],
        }


class UpgradeHTTPFactory(HTTPFactory):
    """Builds Daphne's HTTP channels with UpgradeRequest as their request class."""

    def buildProtocol(self, addr: Any) -> Any:
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = UpgradeRequest
        return protocol
