"""A tiny ASGI application and its server process: each path of it behaves in one way the server must cope with."""

import argparse
import asyncio
import json
import os
import time
from typing import Any

Scope = dict
BOOT = '[3,"%s",{"status":"Accepted","currentTime":"2026-01-01T00:00:00Z","interval":300}]'


def answer(frame: str) -> str:
    """Return the CALLRESULT of an OCPP CALL without parsing it: the id stands between the first two quotes."""
    unique_id = frame.split('"', 2)[1]
    if "BootNotification" in frame[:80]:
        return BOOT % unique_id
    return f'[3,"{unique_id}",{{}}]'


async def ocpp(scope: Scope, receive, send) -> None:
    await accept(scope, receive, send)
    while True:
        event = await receive()
        if event["type"] == "websocket.disconnect":
            return
        await send({"type": "websocket.send", "text": answer(event["text"])})


async def accept(scope: Scope, receive, send) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": (scope["subprotocols"] or [None])[0]})


async def echo(scope: Scope, receive, send) -> None:
    """Send back what comes in, as text or bytes; the last line of the process's log is the code it was closed with."""
    await accept(scope, receive, send)
    while (event := await receive())["type"] == "websocket.receive":
        await send({**event, "type": "websocket.send"})
    print("closed", event["code"], flush=True)


async def refuse(scope: Scope, receive, send) -> None:
    status = int(scope["path"].rpartition("/")[2])
    await receive()
    headers = [(b"www-authenticate", b'Basic realm="ocpp"'), (b"content-type", b"text/plain")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"not ", "more_body": True})
    await send({"type": "websocket.http.response.body", "body": b"you"})


async def close_before_accept(scope: Scope, receive, send) -> None:
    await send({"type": "websocket.close"})


async def close_with(scope: Scope, receive, send) -> None:
    await accept(scope, receive, send)
    await send({"type": "websocket.close", "code": int(scope["path"].rpartition("/")[2]), "reason": "enough"})


async def close_and_listen(scope: Scope, receive, send) -> None:
    """Close at the first message, although more are waiting, and print what comes next."""
    await accept(scope, receive, send)
    await receive()
    await asyncio.sleep(0.2)
    await send({"type": "websocket.close", "code": 1003})
    print("next", json.dumps(await receive()), flush=True)


async def crash_before_accept(scope: Scope, receive, send) -> None:
    raise RuntimeError("crash before accept")


async def crash(scope: Scope, receive, send) -> None:
    await accept(scope, receive, send)
    await receive()
    raise RuntimeError("crash in the middle")


async def exit_process(scope: Scope, receive, send) -> None:
    await accept(scope, receive, send)
    raise SystemExit(3)


async def return_early(scope: Scope, receive, send) -> None:
    await accept(scope, receive, send)


async def silent(scope: Scope, receive, send) -> None:
    """Neither accept nor refuse."""
    await asyncio.sleep(3600)


async def accept_slowly(scope: Scope, receive, send) -> None:
    await asyncio.sleep(0.3)
    await echo(scope, receive, send)


async def accept_wrong_subprotocol(scope: Scope, receive, send) -> None:
    await send({"type": "websocket.accept", "subprotocol": "never-offered"})


async def accept_with_headers(scope: Scope, receive, send) -> None:
    headers = [(b"x-one", b"1"), (b"x-two", b"2")]
    await send({"type": "websocket.accept", "headers": headers})


async def show_scope(scope: Scope, receive, send) -> None:
    """Send the scope as JSON, bytes as latin-1."""
    await accept(scope, receive, send)
    shown = {key: value for key, value in scope.items() if key != "extensions"}
    shown["extensions"] = sorted(scope.get("extensions", {}))
    await send({"type": "websocket.send", "text": json.dumps(shown, default=lambda raw: raw.decode("latin-1"))})
    await receive()


async def deaf(scope: Scope, receive, send) -> None:
    """Accept and take nothing from the socket."""
    await accept(scope, receive, send)
    await asyncio.sleep(3600)


async def talkative(scope: Scope, receive, send) -> None:
    """Send without end, whether the peer reads or not."""
    await accept(scope, receive, send)
    sent = 0
    while True:
        await send({"type": "websocket.send", "text": "x" * 1000})
        sent += 1
        if sent % 1000 == 0:
            await asyncio.sleep(0)


async def slow_answer(scope: Scope, receive, send) -> None:
    """Answer each message half a second after it came, as a database commit would make it."""
    await accept(scope, receive, send)
    while (event := await receive())["type"] == "websocket.receive":
        await asyncio.sleep(0.5)
        await send({"type": "websocket.send", "text": "committed " + event["text"]})
    print("finished", event["code"], flush=True)


async def stubborn(scope: Scope, receive, send) -> None:
    """Never notice that the socket is gone."""
    await accept(scope, receive, send)
    await asyncio.sleep(3600)


async def handle(scope: Scope, receive, send) -> None:
    """Obey a message with the connection handle and report what it says."""
    connection = scope["extensions"]["evcharging.connection"]
    await accept(scope, receive, send)
    while (event := await receive())["type"] == "websocket.receive":
        if event["text"] == "ping":
            connection.ping()
        if event["text"] == "abort":
            connection.abort()
        await asyncio.sleep(0.2)
        age = time.monotonic() - connection.last_frame_at
        report = {"age": age, "buffered": connection.buffered, "paused": connection.reading_paused}
        await send({"type": "websocket.send", "text": json.dumps(report)})


async def watch(scope: Scope, receive, send) -> None:
    """Report every 50 ms how long ago the peer's last frame was."""
    connection = scope["extensions"]["evcharging.connection"]
    await accept(scope, receive, send)
    while True:
        await asyncio.sleep(0.05)
        age = time.monotonic() - connection.last_frame_at
        await send({"type": "websocket.send", "text": f"{age:.3f}"})


PATHS = {
    "ocpp": ocpp,
    "echo": echo,
    "refuse": refuse,
    "close-before-accept": close_before_accept,
    "close-with": close_with,
    "close-and-listen": close_and_listen,
    "crash-before-accept": crash_before_accept,
    "crash": crash,
    "exit": exit_process,
    "return-early": return_early,
    "silent": silent,
    "accept-slowly": accept_slowly,
    "accept-wrong-subprotocol": accept_wrong_subprotocol,
    "accept-with-headers": accept_with_headers,
    "scope": show_scope,
    "deaf": deaf,
    "talkative": talkative,
    "slow-answer": slow_answer,
    "stubborn": stubborn,
    "handle": handle,
    "watch": watch,
}


async def application(scope: Scope, receive, send) -> None:
    if scope["path"] == "/http-crash":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"10")]})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise RuntimeError("crash in a response")
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 426, "headers": [(b"upgrade", b"websocket")]})
        await send({"type": "http.response.body", "body": b"speak WebSocket"})
        return
    await PATHS[scope["path"].split("/")[1]](scope, receive, send)


MESSAGE_MAX = 262144


def say_listening(port: int) -> None:
    print("listening", port, os.getpid(), flush=True)


def serve_with_gateway(port: int, options: dict[str, Any]) -> None:
    from evcharging.gateway.websocket.server import WebSocketServer

    def ready() -> None:
        say_listening(server.listening_addresses[0][1])

    server = WebSocketServer(application, host="127.0.0.1", port=port, ready_callable=ready, **options)
    server.run()


def serve_with_daphne(port: int, options: dict[str, Any]) -> None:
    from daphne.server import Server  # installs its reactor when imported

    class AnnouncingServer(Server):
        def listen_success(self, port) -> None:
            super().listen_success(port)
            say_listening(port.getHost().port)

    endpoint = f"tcp:port={port}:interface=127.0.0.1:backlog=4096"
    known = {"websocket_max_message_size": MESSAGE_MAX, "websocket_max_frame_size": MESSAGE_MAX, **options}
    known.pop("websocket_send_timeout", None)
    AnnouncingServer(application, **{"endpoints": [endpoint], "websocket_timeout": -1, **known}).run()


def serve_with_uvicorn(port: int, options: dict[str, Any]) -> None:
    import uvicorn

    class AnnouncingServer(uvicorn.Server):
        async def startup(self, sockets=None) -> None:
            await super().startup(sockets)
            say_listening(self.servers[0].sockets[0].getsockname()[1])

    size = options.get("websocket_max_message_size", MESSAGE_MAX)
    config = uvicorn.Config(
        application,
        port=port,
        lifespan="off",
        backlog=4096,
        ws_max_size=size,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=10,
    )
    AnnouncingServer(config).run()


SERVERS = {"gateway": serve_with_gateway, "daphne": serve_with_daphne, "uvicorn": serve_with_uvicorn}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--option", action="append", default=[], help="NAME=JSON for the server")
    parser.add_argument(
        "--server",
        choices=SERVERS,
        default=os.environ.get("WEBSOCKET_SERVER", "gateway"),
        help="by default WEBSOCKET_SERVER, to see what another server does in the tests of ours (ADR 16)",
    )
    arguments = parser.parse_args()
    pairs = [pair.split("=", 1) for pair in arguments.option]
    SERVERS[arguments.server](arguments.port, {name: json.loads(value) for name, value in pairs})
    print("stopped", flush=True)


if __name__ == "__main__":
    main()
