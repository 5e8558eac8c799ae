"""What reaches the server and is not HTTP gets a problem, too."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from .problems import problem_response
from .request_id import begin_request


class ProblemProtocol(HttpToolsProtocol):
    """uvicorn answers bytes that its parser refuses by itself, before any application sees them, as plain text."""

    def send_400_response(self, msg: str) -> None:
        request_id = begin_request(None)
        answer = problem_response({"path": "", "raw_path": b""}, "bad_request", "These bytes are not an HTTP request")
        headers = [
            *self.server_state.default_headers,
            *answer.raw_headers,
            (b"x-request-id", request_id.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%s: %s\r\n" % header for header in headers)
        self.transport.write(b"HTTP/1.1 400 Bad Request\r\n" + head + b"\r\n" + bytes(answer.body))
        self.transport.close()
