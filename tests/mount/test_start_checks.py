# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a store is said in one line that says what to change: in
the log, by `mersey status` and by `mersey doctor`."""
import contextlib
import datetime
import http.server
import json
import re
import socket
import ssl
import subprocess
import threading

import pytest

from conftest import new_buckets, running, wait_for


# ---- certificates and servers


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, timeout=60)


def authority(d, name):
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", d / f"{name}.key", "-out", d / f"{name}.crt", "-days", "2"),
        *("-subj", f"/CN={name}"),
    )


def certificate(d, name, ca, host, end="+2"):
    """One for `host`, signed by `ca`, until so many days from now."""
    openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", d / f"{name}.key", "-out", d / f"{name}.csr", "-subj", f"/CN={name}"),
    )
    (d / "index.txt").write_text("")
    (d / f"{name}.cnf").write_text(
        f"[ca]\ndefault_ca=a\n[a]\ndatabase={d}/index.txt\nnew_certs_dir={d}\n"
        f"rand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\nx509_extensions=x\n"
        f"[p]\ncommonName=supplied\n[x]\nsubjectAltName=DNS:{host}\n"
    )
    now = datetime.datetime.now(datetime.timezone.utc)

    def day(n):
        return (now + datetime.timedelta(days=int(n))).strftime("%Y%m%d%H%M%SZ")

    openssl(
        *("ca", "-batch", "-notext", "-config", d / f"{name}.cnf", "-in", d / f"{name}.csr"),
        *("-out", d / f"{name}.crt", "-cert", d / f"{ca}.crt", "-keyfile", d / f"{ca}.key"),
        *("-startdate", day(-9), "-enddate", day(end)),
    )


@contextlib.contextmanager
def tls_in_front(target, crt, key):
    """A port that speaks TLS and passes on what it carries; yields it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(crt, key)
    listener = socket.create_server(("127.0.0.1", 0))
    ends = []

    def pump(a, b):
        with contextlib.suppress(OSError, ValueError):
            while data := a.recv(65536):
                b.sendall(data)
        for s in (a, b):
            with contextlib.suppress(OSError):
                s.shutdown(socket.SHUT_RDWR)

    def serve(raw):
        with contextlib.suppress(OSError):
            inside = context.wrap_socket(raw, server_side=True)
            outside = socket.create_connection(target)
            ends.extend((inside, outside))
            threading.Thread(target=pump, args=(outside, inside), daemon=True).start()
            pump(inside, outside)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                raw, _ = listener.accept()
                threading.Thread(target=serve, args=(raw,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for s in ends:
            with contextlib.suppress(OSError):
                s.close()


@contextlib.contextmanager
def saying(status, code, headers=(), more=""):
    """A server that gives one answer to all; yields its address."""

    class Say(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args):
            pass

        def answer(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = f"<Error><Code>{code}</Code><Message>no</Message>{more}</Error>".encode()
            self.send_response_only(status)
            for name, value in dict(headers).items():
                self.send_header(name, value() if callable(value) else value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_HEAD = do_DELETE = do_POST = answer

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Say)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


# ---- the gateway


@pytest.fixture(scope="module")
def installed(s3):
    """A trust that was set up on a store without a fault, and stopped."""
    with running(store="s3", s3=s3, trusts=("rem",), buckets=new_buckets(s3)) as g:
        wait_for("what the bucket can do", lambda: "create-only PUT: yes" in g.log())
        line = next(l for l in g.log().splitlines() if "create-only PUT" in l)
        assert "versioning: no; object lock: no" in line
        checks = {c["check"]: c for c in g.cli("doctor")["checks"]}
        assert checks["store"]["level"] == "ok" and checks["bucket"]["level"] == "ok"
        g.stop()
        good = dict(g.keys)
        yield g
        g.keys = good
        g.write_config()
        g.start()  # for running(), which stops it


@contextlib.contextmanager
def started_with(g, keys=None, credentials=None):
    """The same trust, with something else in its config."""
    before = dict(g.keys)
    g.keys = {**before, **(keys or {})}
    g.log_path.unlink(missing_ok=True)
    try:
        g.write_config()
        if credentials:
            g.write_credentials("rem", *credentials)
        yield g.start()
    finally:
        g.stop()
        g.keys = before


def assert_said(g, what, advice):
    """In the log, in the status and by the doctor."""
    line = wait_for(
        "it is said",
        lambda: next((l for l in g.log().splitlines() if "going on without it" in l), None),
    )
    assert what in line and advice in line, line
    rc, out, err = g.screen("status", "rem", "--json")
    assert rc == 3
    problem = next(p for p in json.loads(out)["problems"] if p["code"].startswith("store_"))
    assert what in problem["message"] and advice in problem["hint"], problem
    store = next(c for c in g.cli("doctor")["checks"] if c["check"] == "store")
    assert store["level"] == "fail"
    assert what in store["message"] and advice in store["hint"], store
    # cached reads and writes go on (P10)
    p = str(g.mount() / "on")
    g.as_client("open(p, 'w').write('x'); assert open(p).read() == 'x'", p=p)


CERTIFICATES = {
    "authority": ("its certificate is of an unknown authority", "ca_file"),
    "host": ("its certificate is for another host name", "endpoint with a host name"),
    "expired": ("its certificate has expired", "renew the certificate"),
}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    d = tmp_path_factory.mktemp("tls")
    authority(d, "ours")
    authority(d, "theirs")
    certificate(d, "good", "ours", "localhost")
    certificate(d, "authority", "theirs", "localhost")
    certificate(d, "host", "ours", "s3.example")
    certificate(d, "expired", "ours", "localhost", end=-1)
    return d


def behind_tls(s3, d, name):
    host, port = re.fullmatch(r"http://([^:]+):(\d+)", s3["endpoint"]).groups()
    return tls_in_front((host, int(port)), d / f"{name}.crt", d / f"{name}.key")


def test_good_certificate(installed, s3, certificates):
    """The control for those that follow."""
    with behind_tls(s3, certificates, "good") as port:
        keys = {"endpoint": f"https://localhost:{port}", "ca_file": certificates / "ours.crt"}
        with started_with(installed, keys) as g:
            wait_for("it answers", lambda: "create-only PUT: yes" in g.log())


@pytest.mark.parametrize("name", CERTIFICATES)
def test_certificate(installed, s3, certificates, name):
    with behind_tls(s3, certificates, name) as port:
        keys = {"endpoint": f"https://localhost:{port}", "ca_file": certificates / "ours.crt"}
        with started_with(installed, keys) as g:
            assert_said(g, *CERTIFICATES[name])


def test_wrong_secret(installed, s3):
    access, secret = s3["users"]["rem"]
    with started_with(installed, credentials=(access, "wrong" + secret)) as g:
        assert_said(g, "SignatureDoesNotMatch", "secret key")
        assert secret not in g.log()


def test_unknown_key(installed, s3):
    with started_with(installed, credentials=("AKIDNOBODY", "x")) as g:
        assert_said(g, "InvalidAccessKeyId", "access key")


def test_missing_bucket(installed):
    with started_with(installed, {"buckets": {"rem": "no-such-bucket-here"}}) as g:
        assert_said(g, "NoSuchBucket", "make the bucket, or correct its name")


def test_nobody_listens(installed):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    with started_with(installed, {"endpoint": f"http://127.0.0.1:{port}"}) as g:
        assert_said(g, "onnect", "check the port in the store's endpoint")


def test_wrong_region(installed):
    """As AWS says it; the server that is there does not look at regions."""
    more = "<Region>eu-west-2</Region>"
    with saying(400, "AuthorizationHeaderMalformed", more=more) as endpoint:
        with started_with(installed, {"endpoint": endpoint}) as g:
            line = wait_for(
                "it is said",
                lambda: next((l for l in g.log().splitlines() if "eu-west-2" in l), None),
            )
            assert "region" in line


def test_skewed_clock(installed):
    """Ours is an hour behind; the store says so and goes on refusing."""

    def date():
        t = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
        return t.strftime("%a, %d %b %Y %H:%M:%S GMT")

    with saying(403, "RequestTimeTooSkewed", headers={"Date": date}) as endpoint:
        with started_with(installed, {"endpoint": endpoint}) as g:
            assert_said(g, "RequestTimeTooSkewed", "set this machine's clock")
            clock = next(c for c in g.cli("doctor")["checks"] if c["check"] == "clock")
            assert clock["level"] == "fail" and "ahead" in clock["message"]
