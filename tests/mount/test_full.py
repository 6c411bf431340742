# SPDX-License-Identifier: Apache-2.0
"""A disk that is full: ENOSPC, nothing lost, and it works again when room
comes (P9, S13). The state directory lies on an ext4 filesystem of its own."""
import contextlib
import errno
import os
import subprocess

import pytest

from conftest import SERVICE, digest, random_bytes, running, wait_for

MIB = 1 << 20
DISK = 200 * MIB


@contextlib.contextmanager
def small_disk(work):
    """The state directory is a new ext4 of DISK bytes."""
    image, path = work / "disk.img", work / "state"
    with open(image, "wb") as f:
        f.truncate(DISK)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "0", image], check=True)
    path.mkdir(exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, path], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", path], check=True)
        image.unlink()


@pytest.fixture
def gateway():
    with running(small_disk, trusts=("rem",), read_wait="20s") as g:
        yield g


def left(path):
    st = os.statvfs(path)
    return st.f_bavail * st.f_frsize


def fill_disk(path):
    """Somebody else takes all that there is."""
    with open(path, "wb", buffering=0) as f:
        for piece in (MIB, 4096):
            with contextlib.suppress(OSError):
                while True:
                    f.write(b"x" * piece)
        with contextlib.suppress(OSError):
            os.fsync(f.fileno())


def write_all(path, seed):
    """Writes until it is refused; the errno and what was accepted."""
    data = random_bytes(MIB, seed)
    fd = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    n = 0
    try:
        while n < 2 * DISK:
            n += os.write(fd, data)
        pytest.fail("the disk is never full")
    except OSError as e:
        return fd, n, e.errno


def test_own_data(gateway):
    """A file that stays open fills the disk; the database has its room."""
    g, mnt = gateway, gateway.mount()
    (mnt / "first").write_bytes(random_bytes(4 * MIB, 1))
    fd, n, err = write_all(mnt / "big", 2)
    assert err == errno.ENOSPC
    assert n > DISK * 2 // 5, n
    assert left(g.work / "state") > 40 * MIB
    os.fsync(fd)
    # names and attributes need no room of that kind
    for i in range(200):
        (mnt / f"empty-{i}").touch()
    os.close(fd)
    assert (mnt / "big").stat().st_size == n
    got = (mnt / "big").read_bytes()
    assert got == (random_bytes(MIB, 2) * (n // MIB + 1))[:n]
    # what is protected makes room
    g.protect(trust="rem")
    more = random_bytes(64 * MIB, 3)
    (mnt / "more").write_bytes(more)
    assert (mnt / "more").read_bytes() == more
    assert (mnt / "first").read_bytes() == random_bytes(4 * MIB, 1)


def tries(call):
    """What a call on a full disk may do: succeed, or say so."""
    try:
        call()
        return True
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
        return False


def test_others_fill_it(gateway):
    """The last byte is gone, and still: errors are ENOSPC, rows can be written
    again within a moment, eviction gives room back, nothing is lost."""
    g, mnt = gateway, gateway.mount()
    want = {}
    for i in range(20):
        p = mnt / f"clean-{i}"
        p.write_bytes(random_bytes(2 * MIB, i))
        want[p] = digest(p)
    g.protect(trust="rem")
    for i in range(20):
        p = mnt / f"dirty-{i}"
        p.write_bytes(random_bytes(64 * 1024, 100 + i))
        want[p] = digest(p)
    held = g.work / "state" / "rem" / "ballast"
    wait_for("room is kept", lambda: held.stat().st_blocks > 0)
    pid = g.worker_pid()
    filler = g.work / "state" / "filler"
    fill_disk(filler)
    assert left(g.work / "state") < MIB
    made = 0

    def again():
        nonlocal made
        made += tries(lambda: (mnt / f"new-{made}").touch())
        return made >= 50 and "the disk is full" in g.log()

    wait_for("the room for the database is given up", again, 60, every=0.01)
    wait_for(
        "eviction gives room back",
        lambda: g.status()["by_state"]["remote"]["files"] >= 15,
        60,
    )
    wait_for("the room is kept again", lambda: held.stat().st_blocks > 0, 60)
    # full again, it can be started
    fill_disk(filler.with_name("filler2"))
    g.stop()
    g.start()
    assert len([p for p in mnt.iterdir() if p.name.startswith("new-")]) == made
    filler.unlink()
    filler.with_name("filler2").unlink()
    wait_for("writing works", lambda: tries(lambda: (mnt / "late").write_bytes(b"x" * MIB)), 60)
    for p, d in want.items():
        assert digest(p) == d, p
    g.protect(trust="rem")
    rc, out, err = g.screen("quota", "check", "rem")
    assert rc == 0, out + err
    assert pid
    assert held.stat().st_uid == SERVICE["rem"]
