# SPDX-License-Identifier: Apache-2.0
"""The store contract by Signature V2 on the same server, and what must be
refused."""
import os

import pytest
from test_s3 import bucket, environment, run  # noqa: F401  (a fixture)

FULL = "retry,pace,limit,breaker,meter,fault,shared,s3v2"


ACCEPTED = {"ACCEPT": "the test"}


def tls(**more):
    return {"ENDPOINT": os.environ.get("MERSEY_S3_TLS_ENDPOINT", ""), **more}


@pytest.mark.parametrize("chain,keys", [("s3v2", {}), (FULL, tls(**ACCEPTED))])
def test_contract(bucket, chain, keys):  # noqa: F811
    p = run(chain, environment(bucket, **keys))
    assert p.returncode == 0, p.stdout + p.stderr
    assert "[  PASSED  ]" in p.stdout + p.stderr


def test_contract_virtual_style(bucket):  # noqa: F811
    endpoint = os.environ["MERSEY_S3_ENDPOINT"].replace("127.0.0.1", "localhost")
    p = run("s3v2", environment(bucket, ENDPOINT=endpoint, STYLE="virtual"))
    assert p.returncode == 0, p.stdout + p.stderr


@pytest.mark.parametrize(
    "why,keys",
    [
        ("EACCES: SignatureDoesNotMatch", {"SECRET_KEY": "wrong"}),
        ("EACCES: InvalidAccessKeyId", {"ACCESS_KEY": "NOBODY"}),
        ("EACCES: NoSuchBucket", {"BUCKET": "nobody-has-this"}),
        ("nobody checks the certificate", tls()),
    ],
)
def test_refused(bucket, why, keys):  # noqa: F811
    p = run("s3v2", environment(bucket, **keys))
    out = p.stdout + p.stderr
    assert p.returncode != 0
    assert "[       OK ] test_put_get" not in out
    assert why in out


def test_the_name_is_checked_all_the_same(bucket):  # noqa: F811
    keys = tls(**ACCEPTED)
    keys["ENDPOINT"] = keys["ENDPOINT"].replace("localhost", "other.localhost")
    p = run("s3v2", environment(bucket, **keys))
    assert p.returncode != 0
    assert "EACCES: SSL" in p.stdout + p.stderr


def test_bob_reads_nothing(bucket):  # noqa: F811
    env = environment(
        bucket,
        ACCESS_KEY=os.environ["MERSEY_S3_BOB_ACCESS_KEY"],
        SECRET_KEY=os.environ["MERSEY_S3_BOB_SECRET_KEY"],
    )
    p = run("s3v2", env)
    assert p.returncode != 0
    assert "EACCES: AccessDenied" in p.stdout + p.stderr
