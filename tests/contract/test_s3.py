# SPDX-License-Identifier: Apache-2.0
"""The store contract on a real S3 server, over http and TLS, behind each
decorator; and what must be refused. scripts/test starts the server."""
import os
import pathlib
import random
import socket
import subprocess

import pytest

BUILD = pathlib.Path(os.environ.get("MERSEY_BUILD", "build")).resolve()
CONTRACT = BUILD / "tests/contract/contract"
DEV_S3 = pathlib.Path(__file__).resolve().parents[2] / "scripts/dev-s3"


@pytest.fixture(scope="session")
def bucket():
    assert "MERSEY_S3_ENDPOINT" in os.environ, "no S3 server: run through scripts/test"
    name = f"contract-{os.getpid()}-{random.randrange(1 << 30)}"
    subprocess.run(
        [DEV_S3, "--dir", os.environ["MERSEY_S3_DIR"], "bucket", name], check=True
    )
    return name


def environment(bucket, **keys):
    env = dict(os.environ)
    values = {
        "ENDPOINT": env["MERSEY_S3_ENDPOINT"],
        "REGION": env["MERSEY_S3_REGION"],
        "ACCESS_KEY": env["MERSEY_S3_ALICE_ACCESS_KEY"],
        "SECRET_KEY": env["MERSEY_S3_ALICE_SECRET_KEY"],
        "BUCKET": bucket,
    }
    values.update(keys)
    env.update({f"MERSEY_TEST_S3_{k}": str(v) for k, v in values.items()})
    return env


def run(chain, env):
    return subprocess.run(
        [CONTRACT, chain], env=env, capture_output=True, text=True, timeout=180
    )


def refused(bucket, **keys):
    """The output of a run in which the very first put is refused."""
    p = run("s3", environment(bucket, **keys))
    assert p.returncode != 0
    assert "[       OK ] test_put_get" not in p.stdout + p.stderr
    return p.stdout + p.stderr


FULL = "retry,pace,limit,breaker,meter,fault,shared,s3"
AROUND = ["shared", "meter", "retry", "fault", "pace", "limit", "breaker"]
CHAINS = ["s3", *(f"{a},s3" for a in AROUND), FULL]


@pytest.mark.parametrize(
    "chain,tls", [(c, True) for c in CHAINS] + [("s3", False), (FULL, False)]
)
def test_contract(bucket, chain, tls):
    keys = {}
    if tls:
        keys = {
            "ENDPOINT": os.environ["MERSEY_S3_TLS_ENDPOINT"],
            "CA": os.environ["MERSEY_S3_CA"],
        }
    p = run(chain, environment(bucket, **keys))
    assert p.returncode == 0, p.stdout + p.stderr
    assert "[  PASSED  ]" in p.stdout + p.stderr


def test_contract_in_parts(bucket):
    p = run("meter,s3", environment(bucket, PARTS="yes"))
    assert p.returncode == 0, p.stdout + p.stderr
    log = pathlib.Path(os.environ["MERSEY_S3_LOG"]).read_text(errors="replace")
    for what in ("uploads=", "partNumber=2&uploadId=", "delete="):
        assert what in log


@pytest.fixture(scope="session")
def locked_bucket(bucket):
    name = bucket + "-locked"
    subprocess.run(
        ["curl", "-sf", "--noproxy", "*", "-m", "30", "-X", "PUT",
         "--aws-sigv4", f"aws:amz:{os.environ['MERSEY_S3_REGION']}:s3",
         "--user", f"{os.environ['MERSEY_S3_ALICE_ACCESS_KEY']}:"
                   f"{os.environ['MERSEY_S3_ALICE_SECRET_KEY']}",
         "-H", "x-amz-bucket-object-lock-enabled: true",
         "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD",
         f"{os.environ['MERSEY_S3_ENDPOINT']}/{name}"],
        check=True,
    )  # fmt: skip
    return name


def test_contract_locked_and_versioned(locked_bucket):
    p = run("meter,s3", environment(locked_bucket, LOCKED="yes"))
    assert p.returncode == 0, p.stdout + p.stderr


def test_awkward_keys(bucket):
    p = subprocess.run(
        [CONTRACT.parent / "awkward"],
        env=environment(bucket), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert p.returncode == 0, p.stdout + p.stderr


def test_contract_virtual_style(bucket):
    endpoint = os.environ["MERSEY_S3_ENDPOINT"].replace("127.0.0.1", "localhost")
    p = run("s3", environment(bucket, ENDPOINT=endpoint, STYLE="virtual"))
    assert p.returncode == 0, p.stdout + p.stderr


def test_server_saw_the_ranges(bucket):
    log = pathlib.Path(os.environ["MERSEY_S3_LOG"])
    before = log.read_text(errors="replace").count(f'"GET /{bucket}/contract/')
    assert run("s3", environment(bucket)).returncode == 0
    after = log.read_text(errors="replace").count(f'"GET /{bucket}/contract/')
    assert after > before


def test_wrong_ca(bucket, tmp_path):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=other", "-keyout", tmp_path / "key", "-out", tmp_path / "ca"],
        check=True, capture_output=True,
    )  # fmt: skip
    out = refused(
        bucket, ENDPOINT=os.environ["MERSEY_S3_TLS_ENDPOINT"], CA=tmp_path / "ca"
    )
    assert "EACCES" in out
    assert "certificate" in out.lower()


def test_system_ca_does_not_know_it(bucket):
    out = refused(bucket, ENDPOINT=os.environ["MERSEY_S3_TLS_ENDPOINT"])
    assert "EACCES" in out
    assert "certificate" in out.lower()


def test_bad_credentials(bucket):
    assert "EACCES: SignatureDoesNotMatch" in refused(bucket, SECRET_KEY="wrong")
    assert "EACCES: InvalidAccessKeyId" in refused(bucket, ACCESS_KEY="NOBODY")


def test_not_my_bucket(bucket):
    out = refused(
        bucket,
        ACCESS_KEY=os.environ["MERSEY_S3_BOB_ACCESS_KEY"],
        SECRET_KEY=os.environ["MERSEY_S3_BOB_SECRET_KEY"],
    )
    assert "EACCES: AccessDenied" in out


def test_no_such_bucket(bucket):
    assert "EACCES: NoSuchBucket" in refused(bucket + "-none")


def test_dead_port(bucket):
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    assert "ECONNREFUSED" in refused(bucket, ENDPOINT=f"http://127.0.0.1:{port}")


def test_plain_http_elsewhere(bucket):
    out = refused(bucket, ENDPOINT="http://s3.example")
    assert "plain http is only for this machine" in out
