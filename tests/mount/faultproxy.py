# SPDX-License-Identifier: Apache-2.0
"""An HTTP proxy in front of a real S3 server that does what real ones do on a
bad day, by a seeded script, and writes down what it saw.

It forwards the request line and all headers unchanged, Host among them: the
server checks the signature with the Host that it gets, and the client signed
the proxy's address. Each client connection has one connection to the server.

What happens to the n-th request of an operation depends on seed, operation
and n alone, not on time or threads. FAULTS says which faults there are and
what each can happen to; `rates` gives each a probability of its own. When a
request draws several, the one that was injected least wins.

Besides, objects in an archive class behave as on AWS when `archive` is set:
see Archive.
"""
import collections
import contextlib
import dataclasses
import email.utils
import http.client
import random
import re
import socket
import struct
import threading
import time
import urllib.parse

READS = frozenset({"get"})
ANSWERED = frozenset({"get", "list"})  # with a body worth damaging
WRITES = frozenset({"put"})
ALL = frozenset(
    {"get", "head", "put", "delete", "list", "batch", "copy", "restore", "upload", "config", "other"}
)

# A request that is answered without the server: status, S3's code, message.
ANSWERS = {
    "forbidden": (403, "AccessDenied", "Access Denied"),
    "expired": (400, "ExpiredToken", "The provided token has expired."),
    "not_found": (404, "NoSuchKey", "The specified key does not exist."),
    "conflict": (409, "OperationAborted", "A conflicting operation is in progress."),
    "precondition": (412, "PreconditionFailed", "A precondition did not hold."),
    "too_many": (429, "TooManyRequests", "Please reduce your request rate."),
    "internal": (500, "InternalError", "We encountered an internal error."),
    "slow_down": (503, "SlowDown", "Please reduce your request rate."),
    "unavailable": (503, "ServiceUnavailable", "Service is unable to handle request."),
    "timeout": (400, "RequestTimeout", "Your socket connection was idle for too long."),
    "archived": (403, "InvalidObjectState", "The object is in an archive class."),
}
# What a server answers although it did, or may have done, what was asked.
LATE = {"late_internal": "internal", "late_unavailable": "unavailable"}

FAULTS = {
    "delay": ALL,  # late, but right
    "trickle": ANSWERED,  # a few bytes at a time
    "stale": ALL,  # a kept connection closes as the request arrives
    "cut_before": ALL,  # nothing reached the server
    "cut_after": ALL,  # the server did it, nobody says so
    "cut_request": WRITES,  # in the middle of what is sent
    "cut_body": ANSWERED,  # in the middle of what is answered
    "truncate": READS,  # fewer bytes, and headers that agree with it
    "corrupt": READS,  # one bit flipped
    "too_long": ANSWERED,  # Content-Length says more than comes
    "too_short": ANSWERED,  # ... and less
    "wrong_range": READS,  # Content-Range is another one
    "duplicate": ALL,  # the answer comes twice
    "archived": READS,
    **{k: ALL - {"restore"} for k in ANSWERS if k not in ("archived", "not_found")},
    "not_found": ALL - {"restore", "delete", "batch"},
    **{k: ALL for k in LATE},
}

# What is done to the body of an answer that is a success.
DAMAGE = frozenset({"cut_body", "truncate", "corrupt", "too_long", "too_short", "wrong_range"})

# What the ledger calls an operation.
LEDGER = {"put": "puts", "copy": "puts", "upload": "puts", "restore": "restores", "get": "gets", "config": "gets",
          "head": "heads", "list": "lists", "delete": "deletes", "batch": "deletes"}  # fmt: skip
CONFIG_QUERIES = frozenset({"location", "versioning", "object-lock", "uploads"})
ARCHIVE_CLASSES = frozenset({"GLACIER", "DEEP_ARCHIVE"})
HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "expect", "te", "upgrade"})
PATIENCE = 60  # seconds: a connection that is silent for longer is given up


@dataclasses.dataclass
class Seen:
    """One request that arrived, whole or not."""

    number: int
    connection: int
    op: str
    key: str  # as it stands in the path, with the bucket
    query: str
    fault: str | None = None
    forwarded: bool = False
    status: int = 0  # of the server
    answered: int = 0  # what the client was told
    body: int = 0  # bytes that came with it
    objects: int = 1  # that it is about
    at: float = dataclasses.field(default_factory=time.monotonic)


class Cut(Exception):
    """The connection ends here: by a reset, or as if all were said."""

    def __init__(self, abrupt):
        super().__init__()
        self.abrupt = abrupt


@dataclasses.dataclass
class Request:
    method: str
    target: str
    headers: list
    body: bytes = b""

    def header(self, name, default=""):
        return next((v for k, v in self.headers if k.lower() == name), default)

    @property
    def path(self):
        return self.target.partition("?")[0]

    @property
    def query(self):
        return self.target.partition("?")[2]

    def op(self):
        q = urllib.parse.parse_qs(self.query, keep_blank_values=True)
        if self.method == "POST" and "restore" in q:
            return "restore"
        if self.method == "POST" and "delete" in q:
            return "batch"
        if "/" not in self.path.strip("/"):  # the bucket itself
            if self.method != "GET":
                return "other"
            return "config" if q.keys() & CONFIG_QUERIES else "list"
        if self.method == "POST" and q.keys() & {"uploads", "uploadId"}:
            return "upload"
        if self.method == "PUT" and self.header("x-amz-copy-source"):
            return "copy"
        return {"PUT": "put", "GET": "get", "HEAD": "head", "DELETE": "delete"}.get(self.method, "other")


@dataclasses.dataclass
class Answer:
    status: int
    reason: str
    headers: list
    body: bytes = b""
    length: int | None = None  # when not that of the body

    def set(self, name, value):
        self.headers = [(k, v) for k, v in self.headers if k.lower() != name.lower()] + [(name, value)]

    def header(self, name, default=""):
        return next((v for k, v in self.headers if k.lower() == name), default)

    def head(self):
        length = len(self.body) if self.length is None else self.length
        lines = [f"HTTP/1.1 {self.status} {self.reason}", *(f"{k}: {v}" for k, v in self.headers)]
        if self.status not in (204, 304):
            lines.append(f"Content-Length: {length}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def s3_error(status, code, message, bodiless=False):
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>'
    headers = [
        ("Content-Type", "application/xml"),
        ("Date", email.utils.formatdate(usegmt=True)),
        ("x-amz-request-id", "tx0000faultproxy"),
    ]
    a = Answer(status, http.client.responses.get(status, "Fault"), headers, body.encode())
    if bodiless:
        a.body, a.length = b"", len(body)
    return a


class Archive:
    """GETs and copies of objects that were stored in an archive class are
    refused until somebody asked to restore them and `wait` seconds have
    passed; HEAD says how far that is."""

    def __init__(self, wait=1.0):
        self.wait = wait
        self.classes = {}  # path -> storage class, of what was stored through the proxy
        self.restored = {}  # path -> (ready at, until)

    def stored(self, r):
        path = urllib.parse.unquote(r.path)
        self.classes[path] = r.header("x-amz-storage-class", "STANDARD")
        self.restored.pop(path, None)

    def archived(self, path):
        return self.classes.get(path) in ARCHIVE_CLASSES

    def state(self, path):
        """(ready, x-amz-restore); "" when nobody asked for it."""
        if path not in self.restored:
            return False, ""
        ready_at, until = self.restored[path]
        if time.monotonic() < ready_at:
            return False, 'ongoing-request="true"'
        return True, f'ongoing-request="false", expiry-date="{email.utils.formatdate(until, usegmt=True)}"'

    def refuses(self, r, op):
        """Is this a request for bytes that cannot be read now?"""
        if op == "copy":
            path = "/" + urllib.parse.unquote(r.header("x-amz-copy-source")).lstrip("/")
        elif op == "get":
            path = urllib.parse.unquote(r.path)
        else:
            return False
        return self.archived(path) and not self.state(path)[0]

    def restore(self, r):
        path = urllib.parse.unquote(r.path)
        days = re.search(rb"<Days>(\d+)</Days>", r.body)
        if not self.archived(path):
            return s3_error(403, "InvalidObjectState", "Restore is not allowed for this storage class.")
        if not days:
            return s3_error(400, "MalformedXML", "It does not say for how many days.")
        ready, said = self.state(path)
        if said and not ready:
            return s3_error(409, "RestoreAlreadyInProgress", "Object restore is already in progress.")
        ready_at = self.restored[path][0] if ready else time.monotonic() + self.wait
        self.restored[path] = (ready_at, time.time() + 86400 * int(days[1]))
        date = [("Date", email.utils.formatdate(usegmt=True))]
        return Answer(200, "OK", date) if ready else Answer(202, "Accepted", date)


class FaultProxy:
    """Runs from its making to close(). Faults are injected only while
    `rates` is not empty: set it to {} for fair weather."""

    def __init__(self, target, seed=0, rates=None, archive=None):
        """`target`: (host, port) of the server."""
        self.target = target
        self.seed = seed
        self.rates = dict(rates or {})
        self.archive = archive
        self.lock = threading.Lock()
        self.log = []
        self.injected = collections.Counter()
        self.drawn = collections.Counter()  # requests for which there was a draw, by operation
        self.open = set()
        self.accepted = 0
        self.doubtful = 0  # connections whose client may have sent one more request, which nobody read
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.endpoint = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        with self.lock:
            for s in self.open:
                with contextlib.suppress(OSError):
                    s.shutdown(socket.SHUT_RDWR)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # ---- what it saw

    def arrived(self, since=0):
        """How many requests came, as the ledger counts them, from log entry
        `since` on."""
        with self.lock:
            return collections.Counter(LEDGER.get(s.op, s.op) for s in self.log[since:])

    def never(self):
        """Faults that were to be injected and were not."""
        return sorted(k for k, p in self.rates.items() if p and not self.injected[k])

    # ---- the script

    def draw(self, op, n, fresh):
        """The fault for the n-th request of an operation; `fresh`: it is the
        first on its connection. Called with the lock held."""
        r = random.Random(f"{self.seed}/{op}/{n}")
        hit = []
        for name, ops in FAULTS.items():  # always as many draws
            lucky = r.random() < self.rates.get(name, 0)
            if lucky and op in ops and not (fresh and name == "stale"):
                hit.append(name)
        chosen = min(hit, key=lambda k: self.injected[k], default=None)
        if chosen:
            self.injected[chosen] += 1
        return chosen, r

    def _note(self, connection, fresh, r):
        with self.lock:
            op = r.op()
            seen = Seen(len(self.log), connection, op, r.path, r.query)
            rng = random.Random(0)
            if self.rates:
                seen.fault, rng = self.draw(op, self.drawn[op], fresh)
                self.drawn[op] += 1
            self.log.append(seen)
        return seen, rng

    # ---- connections

    def _accept(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                self.accepted += 1
                number = self.accepted
                self.open.add(s)
            threading.Thread(target=self._carry, args=(s, number), daemon=True).start()

    def _carry(self, s, number):
        up = http.client.HTTPConnection(*self.target, timeout=PATIENCE)
        s.settimeout(PATIENCE)
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        fresh = True
        try:
            with s.makefile("rb") as f:
                while self._one(s, f, up, number, fresh):
                    fresh = False
        except Cut as cut:
            if cut.abrupt:
                reset(s)
        except (OSError, http.client.HTTPException, ValueError):
            self._doubt()
        finally:
            with self.lock:
                self.open.discard(s)
            up.close()
            s.close()

    def _one(self, s, f, up, number, fresh):
        """One request; False at the end of the connection."""
        r = read_head(f)
        if r is None:
            return False
        seen, rng = self._note(number, fresh, r)
        if seen.fault == "stale":
            raise Cut(rng.random() < 0.5)
        self._read_body(s, f, r, seen, rng)
        a = self._answer(up, r, seen, rng)
        self._send(s, r, a, seen, rng)
        return r.header("connection").lower() != "close"

    def _read_body(self, s, f, r, seen, rng):
        if r.header("expect").lower() == "100-continue":
            s.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(r.header("content-length", "0"))
        if seen.fault == "cut_request":
            seen.body = len(f.read(rng.randrange(max(length, 1))))
            raise Cut(rng.random() < 0.5)
        r.body = f.read(length)
        seen.body = len(r.body)
        if seen.op == "batch":
            seen.objects = r.body.count(b"<Key>")
        if len(r.body) != length:
            raise Cut(False)

    def _answer(self, up, r, seen, rng):
        fault = seen.fault
        if fault == "delay":
            time.sleep(rng.uniform(0.02, 0.3))
        if fault == "cut_before":
            raise Cut(rng.random() < 0.5)
        if fault in ANSWERS:
            return s3_error(*ANSWERS[fault], bodiless=r.method == "HEAD")
        a = self._forward(up, r, seen)
        if fault == "cut_after":
            raise Cut(rng.random() < 0.5)
        if fault in LATE:
            return s3_error(*ANSWERS[LATE[fault]], bodiless=r.method == "HEAD")
        return a

    def _doubt(self):
        with self.lock:
            self.doubtful += 1

    # ---- the server's side

    def _forward(self, up, r, seen):
        if not self.archive:
            return ask(up, r, seen)
        with self.lock:
            if seen.op == "restore":
                return self.archive.restore(r)
            if self.archive.refuses(r, seen.op):
                return s3_error(*ANSWERS["archived"])
        a = ask(up, r, seen)
        with self.lock:
            if seen.op in ("put", "copy") and a.status == 200:
                self.archive.stored(r)
            said = self.archive.state(urllib.parse.unquote(r.path))[1]
        if said and seen.op in ("get", "head") and a.status < 300:
            a.set("x-amz-restore", said)
        return a

    # ---- the client's side

    def _send(self, s, r, a, seen, rng):
        fault = seen.fault
        if fault in DAMAGE:
            if a.body and a.status < 300:
                damage(a, fault, rng)
            else:
                fault = self._spared(seen)
        head = a.head()
        whole = head + (b"" if r.method == "HEAD" else a.body)
        seen.answered = a.status
        if fault == "cut_body":
            whole = whole[: len(head) + rng.randrange(len(a.body))]
        if fault == "trickle":
            trickle(s, whole)
        else:
            s.sendall(whole * 2 if fault == "duplicate" else whole)
        if fault == "too_short":
            self._doubt()  # the client has all that it was promised, and may go on
        if fault in ("cut_body", "too_long", "too_short"):
            raise Cut(fault == "cut_body" and rng.random() < 0.5)

    def _spared(self, seen):
        """The answer has nothing that could be damaged."""
        with self.lock:
            self.injected[seen.fault] -= 1
            seen.fault = None


def read_head(f):
    """A request without its body; None at the end of the connection."""
    line = f.readline(65536)
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers = []
    while (line := f.readline(65536).decode("latin-1").rstrip("\r\n")) != "":
        name, _, value = line.partition(":")
        headers.append((name, value.strip()))
    return Request(method, target, headers)


def ask(up, r, seen):
    """Asks the server; what connections are about is ours, all else goes on
    as it is."""
    up.putrequest(r.method, r.target, skip_host=True, skip_accept_encoding=True)
    for name, value in r.headers:
        if name.lower() not in HOP:
            up.putheader(name, value)
    if r.body or r.method in ("PUT", "POST"):
        up.putheader("Content-Length", str(len(r.body)))
    seen.forwarded = True
    up.endheaders(r.body or None)
    got = up.getresponse()
    headers = [(k, v) for k, v in got.getheaders() if k.lower() not in HOP]
    a = Answer(got.status, got.reason, headers)
    if r.method == "HEAD":
        a.length = int(got.getheader("content-length", "0"))
    a.body = got.read()
    seen.status = a.status
    return a


def damage(a, fault, rng):
    """Makes an answer wrong; what it says of itself agrees only where the
    fault is that it does."""
    size = len(a.body)
    if fault == "corrupt":
        at = rng.randrange(8 * size)
        body = bytearray(a.body)
        body[at // 8] ^= 1 << at % 8
        a.body = bytes(body)
    elif fault == "truncate":
        a.body = a.body[: rng.randrange(size)]
        # the object ends here, says the answer
        if m := re.match(r"bytes (\d+)-", a.header("content-range")):
            end = int(m[1]) + len(a.body)
            a.set("Content-Range", f"bytes {m[1]}-{max(end - 1, int(m[1]))}/{max(end, int(m[1]) + 1)}")
    elif fault == "wrong_range":
        if m := re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", a.header("content-range")):
            first, last, total = (int(x) + rng.randrange(1, 4096) for x in m.groups())
            a.set("Content-Range", f"bytes {first}-{max(first, last)}/{total}")
    elif fault == "too_long":
        a.length = size + rng.randrange(1, 4096)
    elif fault == "too_short":
        a.length = rng.randrange(size)


def trickle(s, whole):
    """In sixteen pieces, over a quarter of a second."""
    step = len(whole) // 16 + 1
    for at in range(0, len(whole), step):
        s.sendall(whole[at : at + step])
        time.sleep(0.015)


def reset(s):
    """The other end sees a reset, not the end of a stream."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
