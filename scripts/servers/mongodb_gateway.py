"""Speaks MongoDB's protocol before PostgreSQL with DocumentDB: mongodb_gateway.py PORT ENGINE_PORT WORD...

For tests. The extension does what the commands say; this carries BSON between a socket and its SQL functions,
one connection to PostgreSQL for each client. It is a server by itself: no replica set, no transactions, no
change streams, no encryption, no users, and what is written is never waited for on other servers. Further
words only show in the list of processes.
"""

import itertools
import socket
import socketserver
import struct
import sys
import threading

import bson
import psycopg
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument

RAW = CodecOptions(document_class=RawBSONDocument)
MESSAGE, QUERY, REPLY = 2013, 2004, 1
MORE_TO_COME, CHECKSUM = 2, 1

# What says how, and not what: the extension does not know it.
ASIDE = {"lsid", "$db", "$clusterTime", "$readPreference", "txnNumber"}
ASIDE |= {"readConcern", "writeConcern", "bypassDocumentValidation"}

# The extension numbers its errors M0001, M0002, ... These are the ones a cache meets; others are internal.
CODES = {"M0001": 2, "M0003": 9, "M0004": 14, "M0008": 26, "M000D": 40, "M000M": 66, "M001C": 11000}
CODES |= {"23505": 11000, "40P01": 112}
INTERNAL = 1
LOST = "The $$NOW operator cannot be used within this specific context"

HELLO = {
    "helloOk": True,
    "ismaster": True,
    "isWritablePrimary": True,
    "maxBsonObjectSize": 16 << 20,
    "maxMessageSizeBytes": 48_000_000,
    "maxWriteBatchSize": 100_000,
    "minWireVersion": 0,
    "maxWireVersion": 21,
    "readOnly": False,
    "ok": 1.0,
}
BUILT = {"version": "7.0.0", "versionArray": [7, 0, 0, 0], "maxBsonObjectSize": 16 << 20, "ok": 1.0}
DONE = {"ok": 1.0}

# Commands that are one call of a function which answers with a document.
CALLS = {
    "insert": "p_result::text from insert(%s, %s::bson, null, null)",
    "update": "p_result::text from update(%s, %s::bson, null, null)",
    "delete": "p_result::text from delete(%s, %s::bson, null, null)",
    "findandmodify": "p_result::text from find_and_modify(%s, %s::bson, null)",
    "createindexes": "documentdb_api_internal.create_indexes_non_concurrently(%s, %s::bson, true)::text",
    "count": "document::text from count_query(%s, %s::bson)",
}
# Those that begin a cursor.
CURSORS = {"find": "find", "aggregate": "aggregate", "listindexes": "list_indexes"}

numbers = itertools.count(1)
# What the extension goes on with, for each cursor; a client may go on with one on another connection.
continuations = {}
lock = threading.Lock()


def encoded(document):
    return "BSONHEX" + bson.encode(document).hex()


def decoded(text):
    return bson.decode(bytes.fromhex(text[7:]), RAW)


def state(packed):
    """The five characters of an SQLSTATE, which PostgreSQL packs into six bits each."""
    return "".join(chr((packed >> 6 * place & 63) + 48) for place in range(5))


def refused(code, text):
    return {"ok": 0.0, "errmsg": text, "code": code, "codeName": "Error"}


def with_codes(said):
    """An answer whose errors have MongoDB's codes."""
    if "writeErrors" not in said:
        return said
    said = bson.decode(bson.encode(said))
    for error in said["writeErrors"]:
        if error.get("code", 0) > 99_999:
            error["code"] = CODES.get(state(error["code"]), INTERNAL)
    return said


class Client(socketserver.BaseRequestHandler):
    def setup(self):
        self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.engine = None

    def finish(self):
        if self.engine is not None:
            self.engine.close()

    def handle(self):
        try:
            while True:
                size, number, _, kind = struct.unpack("<iiii", self.exactly(16))
                body = self.exactly(size - 16)
                if kind == MESSAGE:
                    self.message(number, body)
                elif kind == QUERY:
                    self.query(number, body)
                else:
                    return
        except OSError:
            return

    def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            part = self.request.recv(size - len(data))
            if not part:
                raise ConnectionResetError
            data += part
        return bytes(data)

    def say(self, number, kind, data):
        self.request.sendall(struct.pack("<iiii", 16 + len(data), next(numbers), number, kind) + data)

    def query(self, number, body):
        """The form in which clients introduce themselves."""
        start = body.index(b"\0", 4) + 1 + 8
        size = struct.unpack_from("<i", body, start)[0]
        said = self.run("admin", bson.decode(body[start : start + size], RAW), {})
        self.say(number, REPLY, struct.pack("<iqii", 8, 0, 0, 1) + bson.encode(said))

    def message(self, number, body):
        flags = struct.unpack_from("<I", body)[0]
        at, end = 4, len(body) - (4 if flags & CHECKSUM else 0)
        command, series = None, {}
        while at < end:
            kind, size = struct.unpack_from("<Bi", body, at)
            section = body[at + 1 : at + 1 + size]
            at += 1 + size
            if kind == 0:
                command = bson.decode(section, RAW)
            else:
                name, _, rest = section[4:].partition(b"\0")
                series[name.decode()] = list(documents(rest))
        said = self.run(command.get("$db", "admin"), command, series)
        if not flags & MORE_TO_COME:
            self.say(number, MESSAGE, b"\0\0\0\0\0" + bson.encode(said))

    def run(self, database, command, series):
        name = next(iter(command))
        try:
            return with_codes(self.command(database, name, command, series))
        except psycopg.Error as error:
            if self.engine is not None and self.engine.closed:
                self.engine = None
            return refused(CODES.get(error.sqlstate, INTERNAL), str(error).partition("\n")[0])

    def command(self, database, name, command, series):
        kind = name.lower()
        if kind in ("hello", "ismaster"):
            return {**HELLO, "connectionId": next(numbers)}
        if kind in ("ping", "endsessions"):
            return DONE
        if kind == "buildinfo":
            return BUILT
        if kind == "getmore":
            return self.more(database, command)
        spec = {field: value for field, value in command.items() if field not in ASIDE} | series
        if kind in CALLS:
            return self.call(CALLS[kind], database, encoded(spec))
        if kind in CURSORS:
            function = f"{CURSORS[kind]}_cursor_first_page(%s, %s::bson, 0)"
            columns = "cursorpage::text, continuation::text, cursorid"
            page, rest, cursor = self.sql(f"select {columns} from {function}", database, encoded(spec))
            keep(cursor, rest)
            return decoded(page)
        if kind == "drop":
            self.sql("select drop_collection(%s, %s)", database, command["drop"])
            return DONE
        if kind == "killcursors":
            for cursor in command["cursors"]:
                keep(cursor, None)
            return {"cursorsKilled": command["cursors"], **DONE}
        return refused(59, f"no such command: '{name}'")

    def call(self, function, database, spec):
        """Calls it again where a document was made meanwhile: the time was lost then, and nothing done."""
        for _ in range(20):
            try:
                said = decoded(self.sql(f"select {function}", database, spec)[0])
            except psycopg.Error as error:
                if LOST not in str(error):
                    raise
                continue
            if LOST not in str(said.get("writeErrors", "")):
                return said
        return refused(112, "write conflict")

    def more(self, database, command):
        rest = continuations.get(command["getMore"])
        if rest is None:
            return refused(43, "cursor not found")
        spec = {field: value for field, value in command.items() if field not in ASIDE}
        function = "cursor_get_more(%s, %s::bson, %s::bson)"
        columns = "cursorpage::text, continuation::text"
        page, rest = self.sql(f"select {columns} from {function}", database, encoded(spec), rest)
        keep(command["getMore"], rest)
        return decoded(page)

    def sql(self, statement, *values):
        if self.engine is None:
            self.engine = psycopg.connect(
                host="127.0.0.1", port=int(sys.argv[2]), user="everwarm", dbname="postgres", autocommit=True
            )
            self.engine.execute("set search_path = documentdb_api, documentdb_core, public")
            self.engine.execute("set documentdb_core.bsonUseEJson = off")
        return self.engine.execute(statement, values).fetchone()


def documents(data):
    at = 0
    while at < len(data):
        size = struct.unpack_from("<i", data, at)[0]
        yield RawBSONDocument(data[at : at + size])
        at += size


def keep(cursor, rest):
    with lock:
        if rest:
            continuations[cursor] = rest
        else:
            continuations.pop(cursor, None)


class Gateway(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 256


if __name__ == "__main__":
    with Gateway(("127.0.0.1", int(sys.argv[1])), Client) as gateway:
        gateway.serve_forever()
