# SPDX-License-Identifier: Apache-2.0
"""The fault proxy itself: each fault, as a plain HTTP client sees it."""
import contextlib
import http.client
import http.server
import re
import threading
import time

import botocore.exceptions
import pytest

from conftest import random_bytes, wait_for
from faultproxy import ALL, ANSWERS, FAULTS, LATE, Archive, FaultProxy

DATA = random_bytes(20000, seed=1)
RANGE = "bytes=100-9099"
WANT = DATA[100:9100]
NO_ANSWER = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves DATA under every key, by ranges; notes what came."""

    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", **headers):
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.server.seen.append((self.command, self.path, self.headers["Host"], data))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        if m := re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("range", "")):
            first, last = int(m[1]), int(m[2])
            self.answer(206, DATA[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(DATA)}")
        else:
            self.answer(200, DATA)

    def do_HEAD(self):
        self.answer(200, DATA)

    def do_PUT(self):
        self.answer(200)

    def do_DELETE(self):
        self.answer(204)

    def do_POST(self):
        self.answer(200)

    def log_message(self, *_):
        pass


@pytest.fixture()
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as s:
        s.seen = []
        threading.Thread(target=s.serve_forever, args=(0.02,), daemon=True).start()
        yield s
        s.shutdown()


@contextlib.contextmanager
def proxied(server, **keys):
    with FaultProxy(("127.0.0.1", server.server_port), **keys) as p:
        c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=30)
        try:
            yield p, c
        finally:
            c.close()


def ask(c, method="GET", path="/bucket/key", **headers):
    body = headers.pop("body", None)
    if method == "GET" and path != "/bucket":
        headers["Range"] = RANGE
    c.request(method, path, body=body, headers=headers)
    r = c.getresponse()
    return r, r.read()


def test_fair_weather(server):
    with proxied(server) as (p, c):
        r, body = ask(c)
        assert (r.status, body) == (206, WANT)
        assert r.getheader("content-range") == "bytes 100-9099/20000"
        r, body = ask(c, "HEAD")
        assert (r.status, body, r.getheader("content-length")) == (200, b"", "20000")
        assert ask(c, "PUT", body=b"some bytes")[0].status == 200
        assert ask(c, "DELETE")[0].status == 204
        assert ask(c, path="/bucket?list-type=2")[0].status == 206
        assert ask(c, "POST", "/bucket?delete=", body=b"x")[0].status == 200
        # as it was sent: the signature covers the Host
        assert {host for _, _, host, _ in server.seen} == {f"127.0.0.1:{p.port}"}
        assert server.seen[2][3] == b"some bytes"
        assert [s.op for s in p.log] == ["get", "head", "put", "delete", "list", "batch"]
        assert {s.connection for s in p.log} == {1}
        assert p.arrived() == {"gets": 1, "heads": 1, "puts": 1, "deletes": 2, "lists": 1}
        assert p.arrived(since=4) == {"lists": 1, "deletes": 1}
        assert not p.injected


def test_it_says_100_continue(server):
    with proxied(server) as (p, c):
        assert ask(c, "PUT", Expect="100-continue", body=b"data")[0].status == 200
        assert server.seen[0][3] == b"data"


@pytest.mark.parametrize("fault", sorted(set(ANSWERS) | set(LATE)))
def test_error_answers(server, fault):
    status, code, _ = ANSWERS[LATE.get(fault, fault)]
    with proxied(server, rates={fault: 1}) as (p, c):
        for i in range(2):  # on the same connection
            r, body = ask(c)
            assert r.status == status
            assert f"<Code>{code}</Code>" in body.decode()
        assert len(server.seen) == (2 if fault in LATE else 0)
        assert p.log[1].forwarded == (fault in LATE)
        assert (p.log[1].fault, p.log[1].answered) == (fault, status)
        if "head" in FAULTS[fault]:
            r, body = ask(c, "HEAD")
            assert (r.status, body) == (status, b"")
        if "put" in FAULTS[fault]:
            assert ask(c, "PUT", body=b"x" * 100000)[0].status == status


@pytest.mark.parametrize("fault", ["cut_before", "cut_after", "cut_request"])
@pytest.mark.parametrize("seed", range(4))  # a reset or an end
def test_cut_off(server, fault, seed):
    with proxied(server, rates={fault: 1}, seed=seed) as (p, c):
        with pytest.raises(NO_ANSWER):
            ask(c, "PUT", body=b"x" * 3000000)
        assert len(server.seen) == (1 if fault == "cut_after" else 0)
        assert p.injected == {fault: 1}
        assert (p.log[0].body < 3000000) == (fault == "cut_request")


@pytest.mark.parametrize("fault", ["cut_body", "too_long"])
def test_answer_breaks_off(server, fault):
    with proxied(server, rates={fault: 1}) as (p, c):
        with pytest.raises((http.client.IncompleteRead, ConnectionResetError)) as e:
            ask(c)
        if e.type is http.client.IncompleteRead:
            assert WANT.startswith(e.value.partial)
            assert (e.value.partial == WANT) == (fault == "too_long")


def test_too_short(server):
    with proxied(server, rates={"too_short": 1}) as (p, c):
        r, body = ask(c)
        assert len(body) == int(r.getheader("content-length")) < len(WANT)
        assert r.getheader("content-range") == "bytes 100-9099/20000"


def test_truncate(server):
    with proxied(server, rates={"truncate": 1}) as (p, c):
        r, body = ask(c)
        end = 100 + len(body)
        assert WANT.startswith(body) and len(body) < len(WANT)
        assert r.getheader("content-range") == f"bytes 100-{end - 1}/{end}"
        assert ask(c)[0].status == 206  # the connection is fine


def test_corrupt(server):
    with proxied(server, rates={"corrupt": 1}) as (p, c):
        r, body = ask(c)
        wrong = [(a, b) for a, b in zip(body, WANT) if a != b]
        assert len(body) == len(WANT) and len(wrong) == 1
        assert (wrong[0][0] ^ wrong[0][1]).bit_count() == 1


def test_wrong_range(server):
    with proxied(server, rates={"wrong_range": 1}) as (p, c):
        r, body = ask(c)
        assert (r.status, body) == (206, WANT)
        assert re.fullmatch(r"bytes \d+-\d+/\d+", r.getheader("content-range"))
        assert r.getheader("content-range") != "bytes 100-9099/20000"


def test_duplicate(server):
    with proxied(server, rates={"duplicate": 1}) as (p, c):
        c.request("GET", "/bucket/key", headers={"Range": RANGE})
        whole = b""
        while whole.count(b"HTTP/1.1 206") < 2 or len(whole) % 2:
            whole += c.sock.recv(65536)
        assert whole[: len(whole) // 2] == whole[len(whole) // 2 :]
        assert whole.endswith(WANT)
        assert len(server.seen) == 1


def test_stale(server):
    """Never on a new connection: whoever opens one gets through."""
    with proxied(server, rates={"stale": 1}) as (p, c):
        for i in range(3):
            assert ask(c)[1] == WANT
            with pytest.raises(NO_ANSWER):
                ask(c)
            c.close()
        assert len(server.seen) == 3
        assert p.arrived() == {"gets": 6}


@pytest.mark.parametrize("fault,seconds", [("delay", 0.02), ("trickle", 0.2)])
def test_late_but_whole(server, fault, seconds):
    with proxied(server, rates={fault: 1}) as (p, c):
        began = time.monotonic()
        assert ask(c)[1] == WANT
        assert time.monotonic() - began >= seconds
        assert p.injected == {fault: 1}


def test_what_cannot_be_damaged_is_not_counted(server):
    with proxied(server, rates={"cut_body": 1}) as (p, c):
        r, body = ask(c, "POST", "/bucket?delete=", body=b"x")
        assert r.status == 200
        assert p.never() == ["cut_body"]


def script(seed, rates, n=2000):
    """What n GETs and n PUTs would get."""
    with FaultProxy(("127.0.0.1", 1), seed=seed, rates=rates) as p:
        return [p.draw(op, i, False)[0] for i in range(n) for op in ("get", "put")], p.injected


def test_script_is_seeded():
    rates = dict.fromkeys(FAULTS, 0.05)
    first, injected = script(7, rates)
    assert (first, injected) == script(7, rates)
    assert first != script(8, rates)[0]
    assert not set(FAULTS) - set(injected)
    # each at its rate or somewhat less, for a request gets one at most
    for fault, ops in FAULTS.items():
        assert 0.01 < injected[fault] / (2000 * len(ops & {"get", "put"})) < 0.06, fault
    # what has a rate of zero does not happen, and does not change the others
    assert script(7, {**rates, "delay": 0})[1]["delay"] == 0
    assert set(script(7, {})[0]) == {None}
    assert ALL >= set().union(*FAULTS.values())


def test_no_server():
    with FaultProxy(("127.0.0.1", 1)) as p:
        c = http.client.HTTPConnection("127.0.0.1", p.port, timeout=30)
        with pytest.raises(NO_ANSWER):
            ask(c)
        c.close()


@pytest.fixture(scope="module")
def real(s3):
    """A client of the real server that goes through a proxy, and a bucket."""
    import boto3
    import botocore.config

    host, port = s3["endpoint"].rsplit("/", 1)[-1].split(":")
    with FaultProxy((host, int(port)), archive=Archive(wait=1.0)) as p:
        access, secret = s3["users"]["rem"]
        c = boto3.client(
            "s3",
            endpoint_url=p.endpoint,
            region_name=s3["region"],
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            config=botocore.config.Config(
                s3={"addressing_style": "path"}, proxies={}, retries={"max_attempts": 0}
            ),
        )
        bucket = f"proxied-{p.port}-{time.time_ns()}"
        c.create_bucket(Bucket=bucket)
        yield p, c, bucket


def error_of(call, **keys):
    with pytest.raises(botocore.exceptions.ClientError) as e:
        call(**keys)
    return e.value.response["Error"]["Code"]


def test_real_server_accepts_what_was_signed_for_the_proxy(real):
    p, c, bucket = real
    key = "a b+c/%41/\u00e9"
    c.put_object(Bucket=bucket, Key=key, Body=DATA)
    got = c.get_object(Bucket=bucket, Key=key, Range=RANGE)
    assert got["Body"].read() == WANT
    assert [o["Key"] for o in c.list_objects_v2(Bucket=bucket)["Contents"]] == [key]
    c.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]})
    assert c.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def done(said):
    return said if 'ongoing-request="false"' in said else None


def test_archive(real):
    p, c, bucket = real
    at = {"Bucket": bucket, "Key": "old"}
    c.put_object(**at, Body=DATA, StorageClass="GLACIER")
    c.put_object(Bucket=bucket, Key="new", Body=DATA)
    ask_for = {"RestoreRequest": {"Days": 3}}
    copy = {"Bucket": bucket, "Key": "copy", "CopySource": f"{bucket}/old"}

    assert error_of(c.get_object, **at) == "InvalidObjectState"
    assert error_of(c.copy_object, **copy) == "InvalidObjectState"
    assert error_of(c.restore_object, Bucket=bucket, Key="new", **ask_for) == "InvalidObjectState"
    head = c.head_object(**at)
    assert (head["StorageClass"], head.get("Restore")) == ("GLACIER", None)

    p.archive.wait = 3600
    assert c.restore_object(**at, **ask_for)["ResponseMetadata"]["HTTPStatusCode"] == 202
    assert error_of(c.restore_object, **at, **ask_for) == "RestoreAlreadyInProgress"
    assert c.head_object(**at)["Restore"] == 'ongoing-request="true"'
    assert error_of(c.get_object, **at) == "InvalidObjectState"

    p.archive.wait = 0.3
    c.put_object(**at, Body=DATA, StorageClass="GLACIER")  # another object: all begins again
    assert "Restore" not in c.head_object(**at)
    began = time.monotonic()
    c.restore_object(**at, **ask_for)
    said = wait_for("the object is restored", lambda: done(c.head_object(**at)["Restore"]))
    assert time.monotonic() - began >= 0.3
    assert re.fullmatch(r'ongoing-request="false", expiry-date="\w+, .* GMT"', said)
    assert c.get_object(**at)["Body"].read() == DATA
    assert c.restore_object(**at, **ask_for)["ResponseMetadata"]["HTTPStatusCode"] == 200
    c.copy_object(**copy)
    assert c.get_object(Bucket=bucket, Key="copy")["Body"].read() == DATA
