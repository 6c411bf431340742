# SPDX-License-Identifier: Apache-2.0
"""What evict and recall change from outside the mount, the kernel's caches of
names, attributes and pages follow at once: they are kept for an hour."""
import mmap
import os

import pytest

from conftest import drop_caches, random_bytes

SIZE = 1_000_003  # no whole blocks: st_blocks tells cache file from size


@pytest.fixture
def hot(gateway, request):
    """A protected file whose name, attributes and pages the kernel has."""
    p = gateway.mount() / request.node.name
    p.write_bytes(random_bytes(SIZE, 5))
    gateway.protect(p)
    os.listdir(p.parent)
    assert p.read_bytes() == random_bytes(SIZE, 5)
    for _ in range(3):
        os.stat(p)
    return p


def seen(p):
    return os.stat(p).st_blocks, os.getxattr(p, "user.mersey.state")


def truth(gateway, p):
    """The same past the kernel's caches."""
    drop_caches()
    return seen(p)


def test_attributes(gateway, hot):
    local = seen(hot)
    assert local[1] == b"local" and local == truth(gateway, hot)
    assert seen(hot) == local  # hot again
    assert gateway.evict(hot)["files"] == 1
    evicted = seen(hot)
    assert evicted[1] == b"remote" and evicted == truth(gateway, hot)
    assert evicted[0] != local[0]  # else it would prove nothing
    assert gateway.cli("recall", hot)["files"] == 1
    recalled = seen(hot)
    assert recalled == local and recalled == truth(gateway, hot)


def test_a_tree(gateway):
    """Every file of it, with attributes that came with readdirplus."""
    d = gateway.mount() / "tree"
    d.mkdir()
    for i in range(150):  # more than one batch
        (d / f"{i}").write_bytes(random_bytes(5001, i))
    gateway.protect(d)
    local = {e.name: e.stat().st_blocks for e in os.scandir(d)}
    assert gateway.evict(d)["files"] == 150
    for e in os.scandir(d):
        assert seen(e.path) == (10, b"remote"), e.name
    assert gateway.cli("recall", d)["files"] == 150
    for e in os.scandir(d):
        assert seen(e.path) == (local[e.name], b"local"), e.name
    for i in range(150):
        assert (d / f"{i}").read_bytes() == random_bytes(5001, i)


def test_mapped_pages(gateway, hot):
    """A mapping keeps its file; one made after the evict sees the same."""
    want = random_bytes(SIZE, 5)
    with open(hot, "rb") as f:
        m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    assert m[:4096] == want[:4096]
    (skipped,) = gateway.evict(hot)["skipped"]
    assert skipped["reason"] == "open"
    drop_caches()
    assert m[:] == want
    m.close()
    assert gateway.evict(hot)["files"] == 1
    with open(hot, "rb") as f:
        m = mmap.mmap(f.fileno(), 0, prot=mmap.PROT_READ)
    assert m[-4096:] == want[-4096:]  # some pages before the recall,
    gateway.cli("recall", hot)
    assert m[:] == want  # the others after it
    m.close()


def test_mapped_stores_are_not_lost(gateway, hot):
    """A store through a mapping after a recall, then everything again."""
    want = bytearray(random_bytes(SIZE, 5))
    gateway.evict(hot)
    gateway.cli("recall", hot)
    with open(hot, "r+b") as f, mmap.mmap(f.fileno(), 0) as m:
        m[70000:70004] = want[70000:70004] = b"mmap"
        assert gateway.evict(hot)["files"] == 0
        m.flush()
    assert seen(hot)[1] == b"dirty"
    gateway.protect(hot)
    assert gateway.evict(hot)["files"] == 1
    assert hot.read_bytes() == want
