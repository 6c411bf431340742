# SPDX-License-Identifier: Apache-2.0
"""Where credentials come from, that they change while a trust is served, and
that nobody sees them who should not."""
import datetime
import http.server
import json
import os
import pathlib
import re
import signal
import subprocess
import threading

import pytest

from conftest import CliError, Gateway, new_buckets, running, single, wait_for, workdir


@pytest.fixture
def gateway_with(s3):
    """One trust on the real server."""

    def make(**keys):
        return running(store="s3", s3=s3, trusts=("rem",), buckets=new_buckets(s3), **keys)

    return make


def protects(g, name):
    """Writes a file and waits until the bucket has it."""
    p = g.mount() / name
    g.as_client("open(p, 'w').write(p)", p=str(p))
    g.protect(p)
    return g.info(p)["state"] == "local"


def refused(g):
    """What the store said last, when it refuses."""
    return g.status()["stores"][0]["error"] or ""


def renewals(g):
    return g.log().count("new credentials of store")


def test_changed_while_serving(gateway_with, s3):
    access, secret = s3["users"]["rem"]
    with gateway_with() as g:
        pid = g.worker_pid()
        assert protects(g, "a")
        g.write_credentials("rem", access, "wrong" + secret)
        g.proc.send_signal(signal.SIGHUP)
        wait_for("the wrong key is in use", lambda: renewals(g) == 1)
        g.as_client("open(p, 'w').write('b')", p=str(g.mount() / "b"))
        wait_for("the store refuses", lambda: "SignatureDoesNotMatch" in refused(g))
        g.write_credentials("rem", access, secret)
        g.proc.send_signal(signal.SIGHUP)
        wait_for("the right key is in use", lambda: renewals(g) == 2)
        g.protect(g.mount() / "b")
        assert g.worker_pid() == pid
        # What is no credentials file changes nothing.
        cred = g.work / "secrets/rem.cred"
        cred.write_text("oops " + secret)
        g.proc.send_signal(signal.SIGHUP)
        wait_for("it is refused", lambda: "the old credentials of store" in g.log())
        assert protects(g, "c")
        assert g.worker_pid() == pid
        assert secret not in g.log()


def test_changed_in_single_mode(s3):
    """No signal, and no supervisor: a process looks after the file."""
    access, secret = s3["users"]["rem"]
    with workdir() as work:
        g = Gateway(work, store="s3", s3=s3, trusts=("rem",), buckets=new_buckets(s3))
        g.setup()
        with single(g) as mnt:
            g.write_credentials("rem", access, "wrong" + secret)
            wait_for("the wrong key is in use", lambda: renewals(g) == 1)
            (mnt / "f").write_text("f")
            wait_for("the store refuses", lambda: "SignatureDoesNotMatch" in refused(g))


def test_profile(gateway_with):
    """Of a file whose other keys are wrong."""
    with gateway_with(
        profile="rem-mersey", credentials="{file: secrets/rem.cred, profile: rem-mersey}"
    ) as g:
        assert protects(g, "a")


def environ(pid):
    return pathlib.Path(f"/proc/{pid}/environ").read_bytes()


def test_environment(gateway_with, s3):
    access, secret = s3["users"]["rem"]
    keys = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    with gateway_with(credentials="{environment: true}", environment=keys) as g:
        (g.work / "secrets/rem.cred").unlink()
        assert protects(g, "a")
        for pid in (g.proc.pid, g.worker_pid()):
            assert b"MERSEY_CONFIG=" in environ(pid)  # the look itself works
            assert f"AWS_SECRET_ACCESS_KEY={secret}".encode() not in environ(pid)
        g.proc.send_signal(signal.SIGHUP)
        wait_for("it was read again", lambda: "were read again" in g.log())
        assert protects(g, "b")


def test_environment_in_background(s3):
    """The process that took the keys is not the one that serves."""
    access, secret = s3["users"]["rem"]
    keys = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret}
    with workdir() as work:
        g = Gateway(
            work, store="s3", s3=s3, trusts=("rem",), buckets=new_buckets(s3),
            credentials="{environment: true}", environment=keys,
        )  # fmt: skip
        g.setup()
        pid = 0
        try:
            subprocess.run(
                [g.build / "daemon/main/merseyd", "--config", g.config, "--log", g.log_path],
                env=g.env(), stderr=subprocess.DEVNULL, check=True, timeout=90,
            )  # fmt: skip
            pid = int((work / "run/merseyd.pid").read_text().split()[0])
            assert protects(g, "a")
        finally:
            if pid:
                os.kill(pid, signal.SIGTERM)
                wait_for("it ends", lambda: not pathlib.Path(f"/proc/{pid}").exists())
            g.destroy()
        assert not g.sanitizer_reports()


class Metadata(http.server.BaseHTTPRequestHandler):
    """IMDSv2 with one role, whose keys expire soon."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def say(self, body, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_PUT(self):
        self.server.seen.append(("PUT", self.path))
        self.say("TOKEN")

    def do_GET(self):
        self.server.seen.append(("GET", self.path))
        role = "/latest/meta-data/iam/security-credentials/"
        if self.headers.get("X-aws-ec2-metadata-token") != "TOKEN":
            self.say("", 401)
        elif self.path == role:
            self.say("gw")
        elif self.path == role + "gw":
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=10)
            access, secret = self.server.keys
            self.say(
                json.dumps(
                    {
                        "Code": "Success",
                        "AccessKeyId": access,
                        "SecretAccessKey": secret,
                        "Token": "",
                        "Expiration": end.strftime("%Y-%m-%dT%H:%M:%SZ"),
                    }
                )
            )
        else:
            self.say("", 404)


@pytest.fixture
def metadata(s3):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata)
    server.seen, server.keys = [], s3["users"]["rem"]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_role_of_the_machine(gateway_with, s3, metadata):
    """Asked by a helper of the supervisor, again before the keys expire."""
    env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{metadata.server_port}"}
    with gateway_with(credentials="{instance_role: true}", environment=env) as g:
        assert protects(g, "a")
        pid, asked = g.worker_pid(), len(metadata.seen)
        assert asked >= 6  # setup, and the start
        access, secret = s3["users"]["rem"]
        metadata.keys = (access, "wrong" + secret)
        wait_for("other keys are in use", lambda: renewals(g), 60)
        assert len(metadata.seen) > asked
        g.as_client("open(p, 'w').write('b')", p=str(g.mount() / "b"))
        wait_for("the store refuses", lambda: "SignatureDoesNotMatch" in refused(g))
        metadata.keys, n = (access, secret), renewals(g)
        g.proc.send_signal(signal.SIGHUP)
        wait_for("and others", lambda: renewals(g) > n)
        g.protect(g.mount() / "b")
        assert g.worker_pid() == pid


def test_role_of_no_machine(gateway_with, s3):
    """A metadata service that is not there is said in one line."""
    env = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:9"}
    with pytest.raises(CliError) as e:
        with gateway_with(credentials="{instance_role: true}", environment=env):
            pass
    assert "the metadata service 'http://127.0.0.1:9/" in e.value.out
