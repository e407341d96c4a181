"""Echo applications, the upper bound of each server program: they answer at once, or after validating the schema.

    python -m bench.apps.echo --server gateway|daphne|daphne-uvloop|uvicorn[-WS] --port PORT [--validating]

A message costs what the socket, the WebSocket and ASGI cost. WS is a WebSocket implementation of uvicorn's, its own
choice if left out: websockets-sansio, websockets or wsproto.
"""

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Answer = Callable[[str], str]

SERVERS = (
    "gateway",
    "daphne",
    "daphne-uvloop",
    "uvicorn",
    "uvicorn-websockets-sansio",
    "uvicorn-websockets",
    "uvicorn-wsproto",
)

RESULTS = {
    "BootNotification": '{"status":"Accepted","currentTime":"2026-01-01T00:00:00Z","interval":300}',
    "Heartbeat": '{"currentTime":"2026-01-01T00:00:00Z"}',
    "StartTransaction": '{"transactionId":1,"idTagInfo":{"status":"Accepted"}}',
    "Authorize": '{"idTagInfo":{"status":"Accepted"}}',
}


def raw_answer(text: str) -> str:
    """Answer a CALL without parsing it: id and Action stand between its first quotes."""
    _, unique_id, _, action, _ = text.split('"', 4)
    return f'[3,"{unique_id}",{RESULTS.get(action, "{}")}]'


def validating_answer() -> Answer:
    """Return a function that parses a CALL, checks its schema, and checks and writes the answer."""
    import orjson

    from evcharging import ocpp16_schemas
    from evcharging.gateway.ocppj import frames

    results = {action: orjson.loads(result) for action, result in RESULTS.items()}

    def answer(text: str) -> str:
        _, unique_id, action, payload = orjson.loads(text)
        error = ocpp16_schemas.request_error(action, payload)
        if error is not None:
            return frames.call_error(unique_id, error.code, error.message)
        result = results.get(action, {})
        assert ocpp16_schemas.response_error(action, result) is None
        return frames.call_result(unique_id, result)

    return answer


def echo_application(answer: Answer) -> Callable[[dict[str, Any], Receive, Send], Awaitable[None]]:
    async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "websocket":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        await receive()
        await send({"type": "websocket.accept", "subprotocol": "ocpp1.6"})
        while (event := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": answer(event["text"])})

    return application


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", choices=SERVERS, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--validating", action="store_true")
    arguments = parser.parse_args()
    application: Any = echo_application(validating_answer() if arguments.validating else raw_answer)
    server, _, variant = arguments.server.partition("-")
    if server == "gateway":
        from evcharging.gateway.websocket.server import WebSocketServer

        WebSocketServer(application, port=arguments.port).run()
    elif server == "daphne":
        if variant == "uvloop":
            from evcharging.gateway.websocket import event_loop  # noqa: F401 - runs the reactor on uvloop

        from daphne.server import Server  # either server installs the reactor when imported

        endpoint = f"tcp:port={arguments.port}:interface=127.0.0.1:backlog=4096"
        Server(application, endpoints=[endpoint], websocket_timeout=-1).run()
    else:
        import uvicorn

        options: Any = {"ws": variant or "auto", "lifespan": "off", "log_level": "warning", "backlog": 4096}
        uvicorn.run(application, port=arguments.port, **options)


if __name__ == "__main__":
    main()
