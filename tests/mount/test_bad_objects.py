# SPDX-License-Identifier: Apache-2.0
"""Wrong bytes from a bucket give EIO and a log line, never wrong data (P5)."""
import errno
import os
import shutil

import pytest

from conftest import SERVICE, drop_caches, random_bytes, wait_for


@pytest.fixture
def victim(gateway, request):
    """A file of 200,000 bytes that is only in the bucket, and its pack's key."""
    g = gateway
    d = g.mount() / request.node.name.replace("[", "-").replace("]", "")
    d.mkdir()
    p = d / "f"
    data = random_bytes(200000, len(request.node.name))
    p.write_bytes(data)
    before = set(g.packs())
    g.protect(p)
    (key,) = set(g.packs()) - before
    assert not g.evict(p)["skipped"]
    drop_caches()
    return g, p, data, key


def must_be_eio(g, p, key):
    assert g.info(p)["state"] == "remote"
    assert g.cli("cost", "report")["rows"] is not None
    n = len(g.log())
    with pytest.raises(OSError) as e:
        p.read_bytes()
    assert e.value.errno == errno.EIO
    name = os.path.basename(key)
    assert name in g.log()[n:], "the log names the object"


def test_flipped_bit(victim):
    g, p, data, key = victim
    blob = g.packs()[key]
    middle = len(blob) // 2
    bad = blob[:middle] + bytes([blob[middle] ^ 1]) + blob[middle + 1 :]
    g.put_object(key, bad)
    must_be_eio(g, p, key)
    # nothing is remembered wrongly: the right object heals it
    g.put_object(key, blob)
    drop_caches()
    assert p.read_bytes() == data


def test_truncated(victim):
    g, p, data, key = victim
    blob = g.packs()[key]
    for n in (len(blob) // 2, 200, 0):
        g.put_object(key, blob[:n])
        must_be_eio(g, p, key)
    g.put_object(key, blob)
    assert p.read_bytes() == data


def test_missing(victim):
    g, p, data, key = victim
    blob = g.packs()[key]
    g.delete_object(key)
    must_be_eio(g, p, key)
    # ENOENT means that the file does not exist (P6): it does
    assert p.stat().st_size == len(data)
    g.put_object(key, blob)
    assert p.read_bytes() == data


def test_swapped(victim, gateway):
    g, p, data, key = victim
    q = p.parent.parent / (p.parent.name + "-other")
    q.mkdir()
    (q / "g").write_bytes(random_bytes(200000, 99))
    before = set(g.packs())
    g.protect(q)
    (other,) = set(g.packs()) - before
    g.evict(q)
    blobs = g.packs()
    g.put_object(key, blobs[other])
    g.put_object(other, blobs[key])
    drop_caches()
    must_be_eio(g, p, key)
    must_be_eio(g, q / "g", other)
    g.put_object(key, blobs[key])
    g.put_object(other, blobs[other])
    assert p.read_bytes() == data


def test_foreign_trust(victim):
    g, p, data, key = victim
    d = g.mount("rbq") / "x"
    d.mkdir()
    (d / "f").write_bytes(data)
    before = set(g.packs("rbq"))
    g.protect(d)
    (other,) = set(g.packs("rbq")) - before
    blob = g.packs()[key]
    g.put_object(key, g.packs("rbq")[other])
    must_be_eio(g, p, key)
    g.put_object(key, blob)
    assert p.read_bytes() == data


def test_replayed_older(victim):
    g, p, data, key = victim
    old = g.packs()[key]
    with open(p, "r+b") as f:
        f.write(b"a newer version")
    before = set(g.packs())
    g.protect(p)
    (new_key,) = set(g.packs()) - before
    assert not g.evict(p)["skipped"]
    new = g.packs()[new_key]
    g.put_object(new_key, old)  # an attacker brings back what was
    drop_caches()
    must_be_eio(g, p, new_key)
    g.put_object(new_key, new)
    assert p.read_bytes().startswith(b"a newer version")


def test_status_says_what_is_damaged(gateway):
    wait_for("the worker still serves", lambda: gateway.status()["state"] in ("online", "degraded"))


def test_an_empty_bucket_is_not_enoent(gateway):
    """A share that is not mounted looks like an empty bucket: that is "not
    now", never "no such file" or "damaged" (P6), and nothing is put there."""
    g = gateway
    d = g.mount() / "away"
    d.mkdir()
    (d / "f").write_bytes(b"a" * 100000)
    g.protect(d)
    g.evict(d)
    g.stop()
    bucket = g.work / "bucket" / "rem"
    hidden = g.work / "bucket" / "hidden"
    os.rename(bucket, hidden)
    bucket.mkdir(mode=0o700)
    os.chown(bucket, SERVICE["rem"], SERVICE["rem"])
    try:
        g.start()
        (d / "new").write_bytes(b"b" * 1000)
        with pytest.raises(OSError) as e:
            (d / "f").read_bytes()
        assert e.value.errno == errno.ETIMEDOUT
        assert g.status()["state"] == "degraded"
        assert not g.packs()
        g.stop()
    finally:
        shutil.rmtree(bucket)
        os.rename(hidden, bucket)
        if g.proc is None:
            g.start()
    assert (d / "f").read_bytes() == b"a" * 100000
    wait_for("protected", lambda: g.status()["unprotected"]["files"] == 0)
