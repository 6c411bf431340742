# SPDX-License-Identifier: Apache-2.0
"""Files come back byte-identical after protect, evict and recall."""
import errno
import os
import re

import pytest

from conftest import FULL, digest, drop_caches, path_base64, random_bytes, wait_for

PACK = 16 << 20  # object_size
FRAME = 65536


def gets(g, trust="rem"):
    """GETs of pack objects that the store served: from its side where it has one."""
    if g.store == "dir":
        rows = g.cli("cost", "report", "--trust", trust)["rows"]
        return sum(r["requests"]["gets"] for r in rows if r["trust"] == trust)
    text = open(g.s3["log"], errors="replace").read()
    return len(re.findall(rf"GET /{g.bucket(trust)}/\S*packs/", text))


def evict_all(g, d):
    g.protect(d)
    r = g.evict(d)
    assert not r["skipped"], r
    for f in os.scandir(d):
        if f.is_file(follow_symlinks=False) and f.stat().st_size:
            assert g.info(f.path)["state"] == "remote", f.path
            break
    drop_caches()
    return r


SIZES = [0, 1, 4095, FRAME - 1, FRAME, FRAME + 1, 5 * FRAME, PACK - 1, PACK, PACK + 1, 2 * PACK + 12345]


def test_sizes(any_gateway):
    g = any_gateway
    d = g.mount() / "sizes"
    g.as_client("os.mkdir(d)", d=str(d))
    want = {}
    for n in SIZES:
        p = d / str(n)
        p.write_bytes(random_bytes(n, n))
        want[p] = (digest(p), n)
    evict_all(g, d)
    before = gets(g)
    for p, (sha, n) in want.items():
        assert p.stat().st_size == n
        assert digest(p) == sha, p
    assert gets(g) > before
    # and again from the local copies: not one request more
    drop_caches()
    local = gets(g)
    for p, (sha, _) in want.items():
        assert digest(p) == sha
    assert gets(g) == local


def test_random_access_reads_only_what_it_needs(any_gateway):
    g = any_gateway
    d = g.mount() / "random"
    d.mkdir()
    p = d / "large"
    data = random_bytes(48 << 20, 7)
    p.write_bytes(data)
    evict_all(g, d)
    others = g.status()["cached_bytes"]  # of the tests before
    with open(p, "rb") as f:
        for off in (0, 40 << 20, 17 << 20, (48 << 20) - 1):
            f.seek(off)
            assert f.read(4096) == data[off : off + 4096]
        info = g.info(p)
        assert info["state"] in ("partial", "remote")
        assert g.status()["cached_bytes"] - others < 40 << 20
    assert digest(p) == __import__("hashlib").sha256(data).hexdigest()


def test_sparse(any_gateway):
    g = any_gateway
    d = g.mount() / "sparse"
    d.mkdir()
    a, b, c = d / "hole-end", d / "all-hole", d / "islands"
    with open(a, "wb") as f:
        f.write(b"start")
        f.truncate(10 << 20)
    with open(b, "wb") as f:
        f.truncate(64 << 20)
    with open(c, "wb") as f:
        for i in range(5):
            f.seek((i * 3 << 20) + 777 * i)
            f.write(random_bytes(100000, i))
    want = {p: digest(p) for p in (a, b, c)}
    evict_all(g, d)
    assert {p: digest(p) for p in (a, b, c)} == want
    # holes are not stored, but for the last frame, which says how long the
    # file is: 64 MiB of nothing cost next to nothing
    assert len(g.info(b)["extents"]) == 1


def test_names(any_gateway):
    g = any_gateway
    d = os.fsencode(g.mount() / "names")
    os.mkdir(d)
    names = [bytes([i]) * 3 + b"x" for i in range(1, 256) if i != ord("/")]
    names += [b"n" * 255, "Röntgen-Thorax 胸部".encode(), b" lead", b"trail ", b"-rf", b"a\nb"]
    for n in names:
        with open(os.path.join(d, n), "wb") as f:
            f.write(b"content of " + n)
    assert sorted(os.listdir(d)) == sorted(names)
    with pytest.raises(OSError) as e:
        open(os.path.join(d, b"n" * 256), "wb")
    assert e.value.errno == errno.ENAMETOOLONG
    g.protect(os.fsdecode(d))
    assert not g.evict(os.fsdecode(d))["skipped"]
    drop_caches()
    for n in names:
        with open(os.path.join(d, n), "rb") as f:
            assert f.read() == b"content of " + n
    # JSON: what is not UTF-8 comes as bytes too
    bad = os.path.join(d, b"\xff\xff\xffx")
    info = g.info(os.fsdecode(bad))
    assert info["path_base64"] == path_base64(bad)
    assert "\ufffd" in info["path"]


def test_ten_thousand_files_in_a_directory(any_gateway):
    g = any_gateway
    d = g.mount() / "many"
    n = 10000
    g.as_client(
        "os.mkdir(d)\n"
        "for i in range(n):\n"
        "    with open(f'{d}/slice-{i:05}', 'wb') as f:\n"
        "        f.write(b'%d,' % i * 20)\n",
        d=str(d),
        n=n,
    )
    assert len(set(os.listdir(d))) == n
    g.protect(d)
    assert not g.evict(d)["skipped"]
    drop_caches()
    assert len(os.listdir(d)) == n
    for i in range(0, n, 37):
        assert (d / f"slice-{i:05}").read_bytes() == b"%d," % i * 20
    # packed: thousands of files are a handful of objects
    assert len(g.packs()) < 200


def test_changed_after_recall(any_gateway):
    g = any_gateway
    d = g.mount() / "changed"
    d.mkdir()
    p = d / "f"
    data = bytearray(random_bytes(3 << 20, 3))
    p.write_bytes(data)
    evict_all(g, d)
    with open(p, "r+b") as f:  # a change to a file that is not here (S12)
        f.seek(1 << 20)
        f.write(b"changed")
    data[1 << 20 : (1 << 20) + 7] = b"changed"
    assert g.info(p)["state"] == "dirty"
    assert p.read_bytes() == data
    evict_all(g, d)
    with open(p, "ab") as f:
        f.write(b"tail")
    data += b"tail"
    evict_all(g, d)
    os.truncate(p, 100000)
    assert p.read_bytes() == data[:100000]
    evict_all(g, d)
    with open(p, "wb") as f:  # O_TRUNC needs no recall
        f.write(b"new")
    evict_all(g, d)
    assert p.read_bytes() == b"new"


def test_attributes_and_xattrs_survive(any_gateway):
    g = any_gateway
    d = g.mount() / "attrs"
    d.mkdir()
    p = d / "f"
    p.write_bytes(b"x" * 1000)
    os.chown(p, 61001, 61001)
    os.chmod(p, 0o640)
    os.setxattr(p, "user.DOSATTRIB", b"0x20\0\1\2")
    os.utime(p, ns=(1_600_000_000_123_456_789, 1_500_000_000_987_654_321))
    os.symlink("f", d / "link")
    os.link(p, d / "hard")
    before = os.stat(p)
    evict_all(g, d)
    after = os.stat(p)
    for k in ("st_ino", "st_mode", "st_uid", "st_gid", "st_size", "st_nlink", "st_mtime_ns"):
        assert getattr(before, k) == getattr(after, k), k
    assert os.getxattr(p, "user.DOSATTRIB") == b"0x20\0\1\2"
    assert os.getxattr(p, "user.mersey.state") == b"remote"
    assert (d / "link").read_bytes() == b"x" * 1000
    assert (d / "hard").read_bytes() == b"x" * 1000


def test_unlinked_open_file_works(any_gateway):
    g = any_gateway
    d = g.mount() / "unlinked"
    d.mkdir()
    p = d / "f"
    p.write_bytes(b"y" * 200000)
    evict_all(g, d)
    with open(p, "r+b") as f:
        os.unlink(p)
        assert not p.exists()
        assert f.read() == b"y" * 200000
        f.seek(0)
        f.write(b"z")
        f.seek(0)
        assert f.read(2) == b"zy"
        assert os.fstat(f.fileno()).st_nlink == 0
    wait_for("the directory is empty", lambda: os.listdir(d) == [])
    os.rmdir(d)


def test_survives_a_restart(any_gateway):
    g = any_gateway
    d = g.mount() / "restart"
    d.mkdir()
    (d / "remote").write_bytes(random_bytes(300000, 1))
    evict_all(g, d)
    (d / "dirty").write_bytes(random_bytes(300000, 2))
    want = {n: digest(d / n) for n in ("dirty",)}
    assert g.stop() == 0
    assert os.listdir(g.mount()) == []  # nothing was written below the mount
    g.start()
    assert digest(d / "dirty") == want["dirty"]
    assert (d / "remote").read_bytes() == random_bytes(300000, 1)
    evict_all(g, d)
    assert (d / "dirty").read_bytes() == random_bytes(300000, 2)


def test_dense_256_mib(any_gateway):
    large(any_gateway, 256 << 20)


@pytest.mark.full
def test_dense_5_gib(gateway):
    gateway.stop()
    gateway.keys["cache_size"] = "20GiB"
    gateway.write_config()
    gateway.start()
    large(gateway, 5 << 30)


def large(g, size):
    d = g.mount() / "large"
    d.mkdir(exist_ok=True)
    p = d / str(size)
    block = random_bytes(8 << 20, size)
    with open(p, "wb") as f:
        for i in range(size // len(block)):
            f.write(i.to_bytes(8, "little") + block[8:])
        os.fsync(f.fileno())
    want = digest(p)
    evict_all(g, d)
    before = gets(g)
    assert digest(p) == want
    assert gets(g) > before
    os.unlink(p)
