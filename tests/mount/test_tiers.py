# SPDX-License-Identifier: Apache-2.0
"""A trust with several tiers: in buckets of their own, or classes in one.

That it starts, tells of all of them, gets a tier later, and serves on while a
later tier's bucket is not (or not this trust's).
"""
import contextlib
import hashlib
import re
import signal

import pytest
from conftest import CliError, new_buckets, random_bytes, running, wait_for

COOL = {"name": "cool", "bucket": "cool"}
COLD = {"name": "cold", "store": "cold-store", "bucket": "cold"}
def policies(*tiers):
    """All of a trust's files to a tier, one policy for each."""
    lines = ["policies:"]
    for t in tiers:
        lines += [
            f"  to-{t}:",
            '    file_classes: {all: {path: "/**"}}',
            f"    rules: [{{for: all, do: move, to: {t}}}]",
        ]
    return lines


WRITE = "open(path, 'wb').write(data.encode()); os.sync()"


@contextlib.contextmanager
def dir_gateway(tiers, **keys):
    with running(trusts=("rem",), tiers=tiers, **keys) as g:
        yield g


@pytest.fixture(scope="module")
def three():
    """Two buckets of one directory, and one in another."""
    with dir_gateway([COOL, COLD], policies=policies("cool", "cold")) as g:
        yield g


@pytest.fixture(scope="module")
def classes(s3):
    """A class in the first tier's bucket, a second bucket, and a third one at
    what is another store for Mersey."""
    tiers = [
        {"name": "ia", "class": "STANDARD_IA", "keys": "object_size: 1MiB"},
        COOL,
        {**COLD, "class": "STANDARD_IA"},
    ]
    with running(
        store="s3",
        s3=s3,
        trusts=("rem",),
        buckets=new_buckets(s3, "cool", "cold"),
        endpoint=s3["tls_endpoint"],
        ca_file=s3["ca"],
        prices="aws-eu-west-2",
        tiers=tiers,
        policies=policies("ia", "cool", "cold"),
    ) as g:
        yield g


def tiers_of(g):
    return {s["tier"]: s for s in g.status()["stores"]}


def well(g, *names):
    """All of these answer, and were seen to be this trust's."""
    s = tiers_of(g)
    return all(s[n]["state"] == "up" and s[n]["error"] is None for n in names)


def beside_data(g, tier):
    """What makes a bucket this volume's."""
    return {
        k: v
        for k, v in g.objects(tier=tier).items()
        if k.endswith("/mersey.json") or "/keys/" in k
    }


def check_served(g, name):
    path = str(g.mount() / name)
    g.as_client(WRITE, path=path, data=name)
    g.protect(path)
    assert g.info(path)["tier"] == "near"
    g.evict(path)
    assert g.as_client("print(open(path).read(), end='')", path=path) == name


def requests(g, tier, cause, operation):
    """Billed ones, of the worker that serves now."""
    line = (
        f'mersey_store_billed_requests_total{{trust="rem",tier="{tier}",store="[^"]*",'
        f'cause="{cause}",operation="{operation}"}} (\\d+)'
    )
    return int(re.search(line, g.screen("metrics", "rem")[1]).group(1))


def check_moves(g, tier, size):
    """A policy brings a file there, and it is read from there."""
    path = str(g.mount() / f"to-{tier}")
    fill = "import random; open(path, 'wb').write(random.Random(n).randbytes(n)); os.sync()"
    read = "import hashlib; print(hashlib.sha256(open(path, 'rb').read()).hexdigest())"
    want = hashlib.sha256(random_bytes(size, size)).hexdigest()
    g.as_client(fill, path=path, n=size)
    g.protect(path)
    assert g.cli("tier", "run", "rem", "--policy", f"to-{tier}", "--yes")
    assert g.info(path)["tier"] == tier
    reads = requests(g, tier, "read", "get")
    g.evict(path)
    assert g.as_client(read, path=path).strip() == want
    assert requests(g, tier, "read", "get") > reads


def test_buckets(three):
    g = three
    wait_for("all answer", lambda: well(g, "near", "cool", "cold"))
    assert list(tiers_of(g)) == ["near", "cool", "cold"]
    assert [s["bucket"] for s in tiers_of(g).values()] == [
        g.bucket("rem", t) for t in ("near", "cool", "cold")
    ]
    want = beside_data(g, "near")
    assert len(want) == 2
    assert beside_data(g, "cool") == want and beside_data(g, "cold") == want
    check_served(g, "a")
    assert g.packs() and not g.packs(tier="cool") and not g.packs(tier="cold")


def test_moves(three):
    g = three
    for tier in ("cool", "cold"):
        check_moves(g, tier, 100000)
        assert g.packs(tier=tier)
        assert requests(g, tier, "policy", "put") >= 1
    assert requests(g, "near", "policy", "put") == 0


def test_verbs(three):
    g = three
    found = [c for c in g.cli("doctor")["checks"] if c["check"] == "store"]
    assert [c["level"] for c in found] == ["ok"] * 3
    for tier in ("cool", "cold"):
        r = g.cli("store", "test", f"rem/{tier}")["stores"]
        assert [(s["tier"], s["bucket"]) for s in r] == [(tier, g.bucket("rem", tier))]
    assert [s["tier"] for s in g.cli("store", "test", "rem")["stores"]] == [
        "near", "cool", "cold",
    ]
    up = re.findall(r'mersey_store_up{.*tier="(\w+)".*} 1', g.screen("metrics")[1])
    assert sorted(up) == ["cold", "cool", "near"]


def test_later_tier():
    """A tier that was added to the config of a trust: a bucket that is in use
    is left alone, and not used; an empty one becomes the tier's by `trust add`,
    which can be repeated."""
    with dir_gateway([]) as g:
        check_served(g, "before")
        g.stop()
        g.keys["tiers"] = [COOL]
        g.write_config()
        g.make_bucket("rem", "cool")
        g.put_object("mersey/rem/thesis.odt", b"text", tier="cool")
        with pytest.raises(CliError) as e:
            g.cli("trust", "add", "rem", "--yes")
        assert "thesis.odt" in e.value.out and "tier 'cool'" in e.value.out
        assert list(g.objects(tier="cool")) == ["mersey/rem/thesis.odt"]

        g.start()
        reason = wait_for("the reason", lambda: tiers_of(g)["cool"]["error"])
        assert reason == "the bucket holds no mersey.json"
        assert "action: is it the right bucket" in g.screen("status", "rem")[1]
        assert g.status()["state"] == "degraded" and well(g, "near")
        check_served(g, "meanwhile")
        g.stop()

        g.delete_object("mersey/rem/thesis.odt", tier="cool")
        for _ in range(2):
            made = g.cli("trust", "add", "rem", "--yes")
            assert [s["tier"] for s in made["stores"]] == ["near", "cool"]
            assert len(beside_data(g, "cool")) == 2
            assert beside_data(g, "cool") == beside_data(g, "near")
        g.start()
        wait_for("it is a tier", lambda: well(g, "near", "cool"))
        assert g.status()["state"] == "online"


def test_order():
    """Who writes stands in the first tier's bucket: what becomes the first by a
    change of the config is not written before a person said so."""
    with dir_gateway([COOL]) as g:
        check_served(g, "a")
        g.stop()
        lines = g.config.read_text().splitlines(True)
        i = next(i for i, l in enumerate(lines) if "{name: near" in l)
        lines[i : i + 2] = lines[i + 1], lines[i]
        g.config.write_text("".join(lines))
        g.start()
        wait_for("it is seen", lambda: g.status()["writer"]["state"] == "elsewhere")
        path = str(g.mount() / "a")
        assert g.as_client("print(open(path).read(), end='')", path=path) == "a"
        g.cli("store", "unlock", "rem", "--yes")
        wait_for("it writes", lambda: g.status()["writer"]["state"] == "holder")


def test_classes(classes):
    g = classes
    wait_for("all answer", lambda: well(g, "near", "ia", "cool", "cold"))
    s = tiers_of(g)
    assert [t["storage_class"] for t in s.values()] == [
        "STANDARD", "STANDARD_IA", "STANDARD", "STANDARD_IA",
    ]
    assert s["near"]["bucket"] == s["ia"]["bucket"] != s["cool"]["bucket"]
    assert beside_data(g, "cool") == beside_data(g, "cold") == beside_data(g, "near")
    check_served(g, "a")


def test_moves_of_classes(classes):
    """In one bucket by a copy inside the store, else as bytes."""
    g = classes
    check_moves(g, "ia", 3 << 19)
    assert requests(g, "ia", "policy", "copy") >= 1
    for tier in ("cool", "cold"):
        check_moves(g, tier, 100000)
        assert requests(g, tier, "policy", "copy") == 0
        assert requests(g, tier, "policy", "put") >= 1
    c = g.s3["client"]("rem")
    for tier, want in (("cool", None), ("cold", "STANDARD_IA")):
        pack = next(iter(g.packs(tier=tier)))
        assert c.head_object(Bucket=g.bucket("rem", tier), Key=pack).get("StorageClass") == want


def test_renewal(classes):
    """Credentials of a later tier's store change while it is served."""
    g = classes
    access, secret = g.s3["users"]["rem"]

    def renew(key, n):
        g.write_credentials("rem", access, key, "cold-store")
        g.proc.send_signal(signal.SIGHUP)
        news = "new credentials of store 'cold-store'"
        wait_for("they are in use", lambda: g.log().count(news) == n)

    def levels():
        return sorted(c["level"] for c in g.cli("doctor")["checks"] if c["check"] == "store")

    renew("wrong" + secret, 1)
    assert levels() == ["fail", "ok", "ok"]
    renew(secret, 2)
    wait_for("it answers", lambda: levels() == ["ok"] * 3)
