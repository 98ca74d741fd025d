"""A stand-in for S3 and DynamoDB, in the memory of one process: moto_server.py PORT.

moto compares and writes in steps that other requests may come between, which the services do not: it is
asked one request at a time here. Bodies are read before, so that who sends half of one stops nobody. It has
the bucket `cache`, and knows no credentials.
"""

import functools
import io
import sys
import threading

from moto.server import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import run_simple
from werkzeug.test import Client
from werkzeug.wsgi import get_input_stream

turn = threading.Lock()
moto = DomainDispatcherApplication(create_backend_app)
# It would look through its own directory for each request, which took nearly half of the time.
moto.get_backend_for_host = functools.lru_cache(moto.get_backend_for_host)


def ask(environ, start_response):
    body = get_input_stream(environ).read()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    with turn:
        answer = moto(environ, start_response)
        try:
            return list(answer)
        finally:
            if hasattr(answer, "close"):
                answer.close()


class Quiet(MotoRequestHandler):
    """Says nothing of what went well, and sends what it has."""

    disable_nagle_algorithm = True

    def log_request(self, code="-", size="-"):
        if not str(code).startswith(("2", "3", "4")):
            super().log_request(code, size)


made = Client(ask).put("/cache", headers={"Host": "s3.us-east-1.amazonaws.com"})
if made.status_code != 200:
    sys.exit(f"no bucket could be made: {made.status} {made.text}")
run_simple("127.0.0.1", int(sys.argv[1]), ask, threaded=True, request_handler=Quiet)
