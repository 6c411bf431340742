# SPDX-License-Identifier: Apache-2.0
"""Quotas as programs meet them on a mount: exact to the byte and the file."""
import errno
import os
import signal
import subprocess
import threading

import pytest

from conftest import random_bytes, running, wait_for

BYTES = 5_000_001
FILES = 40


@pytest.fixture(scope="module")
def gateway():
    with running(trusts=("rem",), quota=f"{{bytes: {BYTES}B, files: {FILES}}}") as g:
        yield g


@pytest.fixture
def mnt(gateway):
    """The mount, empty before and after, and nothing charged for it."""
    m = gateway.mount()
    yield m
    subprocess.run(["find", m, "-mindepth", "1", "-delete"], check=True)
    wait_for("all is reaped", lambda: used(gateway) == {"bytes": 0, "files": 0})
    assert check(gateway)


def used(g):
    return g.cli("quota", "show", "rem")["trusts"][0]["used"]


def check(g):
    """Counted again; only a trust whose counters are exact exits with 0."""
    rc, out, err = g.screen("quota", "check", "rem")
    assert rc == 0, out + err
    return " exact\n" in out


def refused(call):
    with pytest.raises(OSError) as e:
        call()
    return e.value.errno == errno.EDQUOT


def append(path, n):
    with open(path, "ab", buffering=0) as f:
        return f.write(bytes(n))


def test_dd_to_the_byte(gateway, mnt):
    r = subprocess.run(
        ["dd", "if=/dev/zero", f"of={mnt}/f", "bs=65536"], capture_output=True
    )
    assert r.returncode == 1 and b"Disk quota exceeded" in r.stderr
    size = os.stat(mnt / "f").st_size
    assert size == BYTES // 65536 * 65536
    assert append(mnt / "f", BYTES - size) == BYTES - size
    assert refused(lambda: append(mnt / "f", 1))
    assert refused(lambda: append(mnt / "g", 1))
    assert os.stat(mnt / "f").st_size == BYTES
    # what does not grow is allowed
    with open(mnt / "f", "r+b", buffering=0) as f:
        assert f.write(b"x" * 4096) == 4096
        f.truncate(BYTES - 10)
        assert refused(lambda: f.truncate(BYTES + 1))
        assert refused(lambda: os.posix_fallocate(f.fileno(), 0, BYTES + 1))
        f.truncate(BYTES)
    # room comes back with the call that makes it
    os.unlink(mnt / "f")
    assert append(mnt / "g", BYTES) == BYTES
    assert refused(lambda: append(mnt / "g", 1))


def test_files_to_the_last(gateway, mnt):
    os.mkdir(mnt / "d")
    os.symlink("x", mnt / "l")
    os.mkfifo(mnt / "p")
    for i in range(FILES - 3):
        (mnt / f"d/{i}").touch()
    for make in (
        lambda: (mnt / "x").touch(),
        lambda: os.mkdir(mnt / "x"),
        lambda: os.mkfifo(mnt / "x"),
        lambda: os.symlink("y", mnt / "x"),
    ):
        assert refused(make)
    os.link(mnt / "d/0", mnt / "x")  # no new file
    os.rename(mnt / "x", mnt / "y")
    st = os.statvfs(mnt)
    assert (st.f_files, st.f_ffree) == (FILES, 0)
    os.unlink(mnt / "p")
    (mnt / "x").touch()
    assert refused(lambda: os.mkdir(mnt / "z"))


def test_unlinked_and_open(gateway, mnt):
    """It keeps its room until the last close; the kernel tells that late."""
    f = open(mnt / "f", "wb", buffering=0)
    f.write(bytes(BYTES))
    os.unlink(mnt / "f")
    assert refused(lambda: append(mnt / "g", 1))
    assert used(gateway) == {"bytes": BYTES, "files": 2}
    f.close()

    def room():
        try:
            return append(mnt / "g", BYTES) == BYTES
        except OSError as e:
            assert e.errno == errno.EDQUOT
            return False

    wait_for("its room is free", room)


def test_never_named(gateway, mnt):
    """A file of O_TMPFILE counts while it is open, and when it got a name."""
    fd = os.open(mnt, os.O_TMPFILE | os.O_RDWR)
    os.write(fd, bytes(BYTES))
    assert used(gateway) == {"bytes": BYTES, "files": 1}
    assert refused(lambda: append(mnt / "g", 1))
    os.link(f"/proc/self/fd/{fd}", mnt / "f", src_dir_fd=fd, follow_symlinks=True)
    os.close(fd)
    assert used(gateway) == {"bytes": BYTES, "files": 2}
    os.unlink(mnt / "f")
    for i in range(FILES - 1):
        (mnt / f"{i}").touch()
    assert refused(lambda: os.open(mnt, os.O_TMPFILE | os.O_RDWR))


def test_df(gateway, mnt):
    append(mnt / "f", 1_000_000)
    st = os.statvfs(mnt)
    assert st.f_frsize * st.f_blocks == BYTES // st.f_frsize * st.f_frsize
    assert st.f_bfree == (BYTES - 1_000_000) // st.f_frsize
    assert st.f_bavail == st.f_bfree
    assert (st.f_files, st.f_ffree) == (FILES, FILES - 1)
    assert gateway.status("rem")["quota"] == {
        "bytes": BYTES,
        "files": FILES,
        "used_bytes": 1_000_000,
        "used_files": 1,
    }


WRITER = """
import errno, os
own = os.open(f"{mnt}/w{n}", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
both = os.open(f"{mnt}/shared", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
i, size = 0, 40000 + 1000 * n
while size:
    i += 1
    try:
        os.write(both if i % 2 else own, bytes(size))
    except OSError as e:
        assert e.errno == errno.EDQUOT, e
        size //= 2
    if i in (5, 9):
        os.ftruncate(own, os.fstat(own).st_size // 2)
"""


def sizes(mnt):
    return sum(os.stat(e.path).st_size for e in os.scandir(mnt))


def test_writers_never_exceed(gateway, mnt):
    """Several processes, with files of their own and one together; every
    look at all sizes finds no more than the quota, and in the end all of it
    is used."""
    failed, bad, most = [], [], 0

    def run(n):
        try:
            gateway.as_client(WRITER, mnt=str(mnt), n=n)
        except AssertionError as e:
            failed.append(e)

    threads = [threading.Thread(target=run, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    while any(t.is_alive() for t in threads):
        most = max(most, sizes(mnt))
        trust = gateway.cli("quota", "check", "rem")["trusts"][0]
        if not trust["exact"]:
            bad.append(trust)
    assert not failed, failed
    # the account of open files was exact whenever it could be read
    assert not bad, bad
    total = sizes(mnt)
    assert max(most, total) <= BYTES
    assert used(gateway)["bytes"] == total
    append(mnt / "shared", BYTES - total)
    assert refused(lambda: append(mnt / "shared", 1))
    assert check(gateway)


def test_protected_and_evicted(gateway, mnt):
    """Bytes in the bucket count as those here."""
    (mnt / "f").write_bytes(random_bytes(3_000_000, 1))
    gateway.protect()
    gateway.evict(mnt / "f")
    assert used(gateway)["bytes"] == 3_000_000
    assert refused(lambda: os.truncate(mnt / "f", BYTES + 1))
    assert gateway.info(mnt / "f")["state"] == "remote"  # nothing was fetched
    assert append(mnt / "g", BYTES - 3_000_000)
    assert refused(lambda: append(mnt / "g", 1))
    assert (mnt / "f").read_bytes() == random_bytes(3_000_000, 1)


def test_killed_while_growing(gateway, mnt):
    """What a killed worker had let grow is in the account of the next one."""
    f = open(mnt / "f", "ab", buffering=0)
    f.write(bytes(1_000_000))
    os.fsync(f.fileno())
    f.write(bytes(2_000_000))
    append(mnt / "g", 7)
    pid = gateway.worker_pid()
    os.kill(pid, signal.SIGKILL)
    f.close()  # ENOTCONN is nobody's fault

    def again():
        return gateway.serves("rem") and gateway.worker_pid() != pid

    wait_for("served again", again, 60)
    assert sizes(mnt) == used(gateway)["bytes"] == 3_000_007
    assert check(gateway)
    left = BYTES - 3_000_007
    assert append(mnt / "g", left) == left
    assert refused(lambda: append(mnt / "f", 1))


def test_lowered(gateway, mnt):
    """Who is over a limit that was lowered may do everything but grow."""
    append(mnt / "f", 100_000)
    (mnt / "x").touch()
    gateway.stop()
    keys = dict(gateway.keys)
    try:
        gateway.keys["quota"] = "{bytes: 50000B, files: 1}"
        gateway.write_config()
        gateway.start()
        assert refused(lambda: append(mnt / "f", 1))
        assert refused(lambda: (mnt / "y").touch())
        with open(mnt / "f", "r+b", buffering=0) as f:
            assert f.write(bytes(100_000)) == 100_000
        os.rename(mnt / "x", mnt / "z")
        rc, out, _ = gateway.screen("quota", "show", "rem")
        assert rc == 0 and " 200% " in out
        st = os.statvfs(mnt)
        assert (st.f_bfree, st.f_ffree) == (0, 0)
        os.truncate(mnt / "f", 49_999)
        append(mnt / "f", 1)
        assert refused(lambda: append(mnt / "f", 1))
    finally:
        gateway.stop()
        gateway.keys = keys
        gateway.write_config()
        gateway.start()
