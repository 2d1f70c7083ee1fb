"""The Lambda Runtime API (2018-06-01), as far as aws-lambda-go uses it, on a loopback port."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Protocol

HOST = "127.0.0.1"
PREFIX = "/2018-06-01/runtime"
# Above Lambda's own limit of 6 MB, so that the emulator reports its own limit.
MAX_BODY = 16 << 20


class Invocation:
    """One event and, later, its answer."""

    def __init__(self, payload: dict[str, str], deadline: float):
        self.id = payload["invoke-id"]
        self.body = payload["payload"].encode()
        self.deadline = deadline
        self.headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": self.id,
            "Lambda-Runtime-Deadline-Ms": str(int(deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": payload["invoked-function-arn"],
            "Lambda-Runtime-Trace-Id": payload["trace-id"],
        }
        self.result: bytes | None = None
        self.failed = False


class Environment(Protocol):
    """What the API needs of an execution environment."""

    def next(self) -> Invocation | None: ...
    def answer(self, request_id: str, body: bytes, failed: bool) -> bool: ...
    def init_failed(self, body: bytes) -> None: ...


class RuntimeAPI:
    """Serves one environment until close()."""

    def __init__(self, environment: Environment):
        handler = type("Handler", (_Handler,), {"environment": environment})
        self._server = _Server((HOST, 0), handler)
        self.address = f"{HOST}:{self._server.server_port}"
        threading.Thread(target=self._serve, daemon=True, name="lambda-runtime-api").start()

    def close(self) -> None:
        try:
            self._server.socket.shutdown(socket.SHUT_RDWR)  # wakes accept()
        except OSError:
            pass
        self._server.server_close()

    def _serve(self) -> None:
        # a plain accept loop: serve_forever() wakes up twice a second for each environment
        while True:
            try:
                connection, peer = self._server.socket.accept()
            except OSError:
                return
            self._server.process_request(connection, peer)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request, client_address):
        pass  # a killed process breaks its connection: nothing to report


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body in one write
    environment: Environment

    def log_message(self, *args):
        pass

    def do_GET(self):
        if self.path != f"{PREFIX}/invocation/next":
            return self._send(404)
        invocation = self.environment.next()
        if invocation is None:  # the environment is going away
            self.close_connection = True
            return self._send(410)
        self._send(200, invocation.body, invocation.headers)

    def do_POST(self):
        body, trailers = self._body()
        if self.path == f"{PREFIX}/init/error":
            self.environment.init_failed(body)
            return self._send(202, b'{"status":"OK"}\n')
        match self.path.removeprefix(f"{PREFIX}/invocation/").split("/"):
            case [request_id, "response" | "error" as kind]:
                failed = kind == "error" or "lambda-runtime-function-error-type" in trailers
                if self.environment.answer(request_id, body, failed):
                    return self._send(202, b'{"status":"OK"}\n')
        self._send(400, b'{"errorType":"InvalidRequestID"}\n')

    def _body(self) -> tuple[bytes, dict[str, str]]:
        if "chunked" in (self.headers.get("Transfer-Encoding") or "").lower():
            return self._chunks()
        return self.rfile.read(int(self.headers.get("Content-Length") or 0)), {}

    def _chunks(self) -> tuple[bytes, dict[str, str]]:
        # aws-lambda-go streams its answer; an error found on the way is in the trailers
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0].strip() or b"0", 16):
            body += self.rfile.read(size)
            if len(body) > MAX_BODY:
                raise ConnectionError("the function's answer is too large")
            self.rfile.readline()
        trailers = {}
        while line := self.rfile.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            trailers[name.strip().lower()] = value.strip()
        return bytes(body), trailers

    def _send(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
