# SPDX-License-Identifier: Apache-2.0
"""A trust on an appliance that only knows Signature V2."""
import re

import pytest

from conftest import digest, drop_caches, new_buckets, random_bytes, running


@pytest.fixture(scope="module")
def old_gateway(s3):
    buckets = new_buckets(s3)
    with running(
        trusts=("rem",), store="s3v2", s3=s3, buckets=buckets, endpoint=s3["tls_endpoint"]
    ) as g:
        yield g


def requests(g, what):
    """What the server saw of this driver; it says its name."""
    text = open(g.s3["log"], errors="replace").read()
    return len(re.findall(rf'"{what} /{g.bucket("rem")}/\S* HTTP[^\n]*libs3', text))


def test_there_and_back(old_gateway):
    g = old_gateway
    d = g.mount() / "there"
    d.mkdir()
    want = {}
    for i, n in enumerate((0, 1, 65536, 300_001, (17 << 20) + 5)):
        p = d / str(i)
        p.write_bytes(random_bytes(n, i))
        want[p] = digest(p)
    g.protect(d)
    assert requests(g, "PUT") >= 3  # marker, key, packs
    assert g.packs()
    assert not g.evict(d)["skipped"]
    assert g.info(d / "3")["state"] == "remote"
    drop_caches()
    before = requests(g, "GET")
    for p, sha in want.items():
        assert digest(p) == sha
    assert requests(g, "GET") > before
    # and what was changed is what comes back
    (d / "3").write_bytes(random_bytes(200_000, 99))
    sha = digest(d / "3")
    g.protect(d)
    g.evict(d)
    drop_caches()
    assert digest(d / "3") == sha


def test_it_is_said_that_nobody_checks(old_gateway):
    assert "nobody checks the certificate" in old_gateway.log()
