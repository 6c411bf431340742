# SPDX-License-Identifier: Apache-2.0
"""mersey store test: what it finds on a directory, on RGW, and where something
is missing; and that nothing of it stays, and nothing else is touched."""
import os
import signal
import subprocess
import time

import pytest

from conftest import SERVICE, CliError, new_buckets, running, wait_for
from faultproxy import FAULTS, Archive, FaultProxy

YES = {"put", "empty_object", "create_only", "get", "range", "range_behind_end", "head", "list",
       "list_continuation", "delete", "clock", "latency"}  # fmt: skip


def capabilities(g, *args, rc=0):
    (store,) = g.cli("store", "test", *args, rc=rc)["stores"]
    return {c["name"]: c["result"] for c in store["capabilities"]}, store


def scratch(g):
    """What `store test` made on S3; the driver's own trials lie elsewhere."""
    page = g.s3["client"]("rem").list_objects_v2(Bucket=g.bucket("rem"), Prefix="mersey/rem/scratch/test/")
    return [o["Key"] for o in page.get("Contents", [])]


def others(g):
    """All objects but those that a start of the worker makes meanwhile: its
    claim, and the driver's own trials."""
    return {
        k: v
        for k, v in g.objects().items()
        if "/gen/" not in k and ("/scratch/" not in k or "/scratch/test/" in k)
    }


def test_what_is_there(any_gateway):
    g = any_gateway
    (g.mount() / "first").write_bytes(b"the start is over once this is protected")
    g.protect(trust="rem")
    before = others(g)
    dead = "mersey/rem/scratch/test/dead/put"
    if g.store == "dir":
        (g.work / "bucket/rem" / g.bucket("rem") / dead).parent.mkdir(parents=True)
    g.put_object(dead, b"of a run that was killed")
    if g.store == "dir":
        for p in (g.work / "bucket/rem").rglob("scratch/**"):
            os.chown(p, SERVICE["rem"], SERVICE["rem"])
    puts = sum(r["requests"]["puts"] for r in g.cli("cost", "report", "--trust", "rem")["rows"])

    found, store = capabilities(g, "rem/near")
    assert store["bucket"] == g.bucket("rem") and store["tier"] == "near"
    s3 = g.store == "s3"
    assert {k for k in YES if found[k] != "yes"} == set()
    assert found["checksum"] == ("yes" if s3 else "no")
    assert found["batch_delete"] == ("yes" if s3 else "emulated")
    for name in ("storage_class", "copy"):
        assert found[name] == ("yes" if s3 else "no"), name
    assert found["copy_class"] == ("yes" if s3 else "untested")
    assert found["versioning"] == found["object_lock"] == "no"
    detail = {c["name"]: c["detail"] for c in store["capabilities"]}
    if s3:
        assert detail["storage_class"] == "STANDARD_IA, GLACIER, DEEP_ARCHIVE"

    # nothing stays, nothing else is touched, and it was paid for
    assert others(g) == before
    wait_for(
        "the ledger has it",
        lambda: sum(r["requests"]["puts"] for r in g.cli("cost", "report", "--trust", "rem")["rows"]) >= puts + 15,
        20,
    )


def test_screen_and_usage(any_gateway):
    g = any_gateway
    rc, out, err = g.screen("store", "test")
    assert rc == 0 and not err
    assert out.count("CAPABILITY") == 2 and "rem/near: store '" in out and "rbq/near: store '" in out
    for bad in (("rem/far",), ("nobody",), ("rem", "rbq")):
        assert g.screen("store", "test", *bad)[0] == 2, bad
    with pytest.raises(CliError) as e:
        g.cli("store", "test", as_uid=61001)
    assert e.value.rc == 5


@pytest.fixture(scope="module")
def proxied(s3):
    """A bucket behind a proxy that archives as AWS does."""
    host, port = s3["endpoint"].rsplit("/", 1)[-1].split(":")
    with FaultProxy((host, int(port)), archive=Archive(wait=3600)) as proxy:
        with running(
            store="s3", s3=s3, buckets=new_buckets(s3), endpoint=proxy.endpoint, trusts=("rem",)
        ) as g:
            yield g, proxy


def test_archive(proxied):
    g, proxy = proxied
    since = len(proxy.log)
    found, store = capabilities(g, "rem")
    assert len(proxy.log) - since < 120  # as the manual says, about a hundred
    assert {k for k in YES | {"restore"} if found[k] != "yes"} == set()
    detail = {c["name"]: c["detail"] for c in store["capabilities"]}
    assert detail["restore"] == "asked for, from GLACIER"


def test_refused(proxied):
    """Who may not write is told so, in the server's words."""
    g, proxy = proxied
    proxy.rates = {"forbidden": 1}
    try:
        found, store = capabilities(g, "rem", rc=3)
        assert found["put"] == "no" and "AccessDenied" in store["capabilities"][0]["detail"]
        assert store["capabilities"][0]["needed"]
        assert "put                NO" in g.screen("store", "test", "rem")[1]
    finally:
        proxy.rates = {}
    assert not scratch(g)


def test_away(proxied):
    g, proxy = proxied
    proxy.rates = {"unavailable": 1}
    try:
        rc, out, err = g.screen("store", "test", "rem")
        assert rc == 4 and "store 'near-store' does not answer" in err
    finally:
        proxy.rates = {}


def test_bad_weather(proxied):
    """Whatever comes in between, it ends, and a later run cleans up."""
    g, proxy = proxied
    proxy.rates = dict.fromkeys(FAULTS, 0.05)
    try:
        for _ in range(2):
            assert g.screen("store", "test", "rem")[0] in (0, 3, 4)
    finally:
        proxy.rates = {}
    capabilities(g, "rem")
    assert not scratch(g)


def test_killed(proxied):
    """The command is killed in the middle: the worker stops and cleans up."""
    g, proxy = proxied
    proxy.rates = {"delay": 1}
    try:
        p = subprocess.Popen([g.build / "daemon/cli/mersey", "store", "test", "rem"], env=g.env())
        wait_for("it has begun", lambda: scratch(g))
        p.send_signal(signal.SIGKILL)
        p.wait(10)
    finally:
        proxy.rates = {}
    wait_for("it is cleaned up", lambda: not scratch(g))
    began = time.monotonic()
    wait_for("the next one may begin", lambda: g.screen("store", "test", "rem")[0] == 0)
    assert time.monotonic() - began < 60


def test_versions(proxied):
    """Switched on behind our back: RGW 16 then creates over what is there."""
    g, proxy = proxied
    c, bucket = g.s3["client"]("rem"), g.bucket("rem")
    c.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    found, store = capabilities(g, "rem", rc=3)
    assert (found["versioning"], found["create_only"]) == ("yes", "emulated")
    assert not scratch(g)
    left = c.list_object_versions(Bucket=bucket, Prefix="mersey/rem/scratch/test/")
    assert [v["Key"] for v in left.get("Versions", [])] == []  # no data, that is
