# SPDX-License-Identifier: Apache-2.0
"""Files that the kernel reads and writes itself, and the same without.

Every test runs with passthrough on and off. On: the worker must have seen no
READ and no WRITE. Off: it must have seen them, or the counters prove nothing.
Where the kernel offers passthrough and it is not used, tests fail.
"""
import contextlib
import errno
import mmap
import os
import platform
import signal
import subprocess
import time

import pytest

from conftest import (
    Gateway,
    alive,
    drop_caches,
    is_mounted,
    random_bytes,
    running,
    wait_for,
    workdir,
)

FILE = 3 << 20


def offered():
    """Linux 6.9, with FUSE passthrough built in."""
    major, minor = (int(x) for x in platform.release().split(".")[:2])
    if (major, minor) < (6, 9):
        return False
    config = f"/boot/config-{platform.release()}"
    if os.path.exists(config):
        return "CONFIG_FUSE_PASSTHROUGH=y" in open(config).read()
    return True


@pytest.fixture(scope="module", params=["true", "false"], ids=["passed", "served"])
def mounted(request):
    with running(trusts=("rem",), settle="0s", passthrough=request.param) as g:
        g.off = request.param == "false"
        g.passed = False
        if not g.off:
            ready(g)
        yield g


class Requests:
    """What the kernel sent while the block ran."""

    def __init__(self, gateway):
        self.g = gateway

    def __enter__(self):
        self.before = self.g.status()["fuse"]["requests"]
        return self

    def __exit__(self, *exc):
        after = self.g.status()["fuse"]["requests"]
        self.n = {k: after[k] - self.before[k] for k in after}

    def check(self, *kinds):
        for k in kinds:
            assert (self.n[k] == 0) == self.g.passed, (k, self.n)


def new(g, name, data):
    p = g.mount() / name
    p.write_bytes(data)
    return p


def ready(g):
    """New files are passed from the moment when the first were prepared."""

    def passed(n=iter(range(10000))):
        p = g.mount() / f"ready{next(n)}"
        with Requests(g) as r:
            p.write_bytes(b"x")
        p.unlink()
        return r.n["write"] == 0

    g.passed = offered()
    if g.passed:
        wait_for("new files are passed", passed)


def test_status_says_which(mounted):
    f = mounted.status()["fuse"]
    assert f["passthrough"] == mounted.passed
    why = None if mounted.passed else "off" if mounted.off else "kernel"
    assert f["reason"] == why
    path = "passthrough" if mounted.passed else "daemon"
    assert mounted.status()["worker"]["data_path"] == path
    said = mounted.screen("status", "rem")[1]
    by = "by the kernel itself" if mounted.passed else "by the worker"
    assert by in said
    checks = {c["check"]: c for c in mounted.cli("doctor")["checks"] if c["trust"]}
    assert ("by the kernel itself" in checks["passthrough"]["message"]) == mounted.passed


def test_long_requests(mounted):
    """Reads that the worker serves come in requests of up to 256 KiB."""
    if mounted.passed:
        return
    data = random_bytes(8 << 20, 13)
    p = new(mounted, "long", data)
    drop_caches()
    with Requests(mounted) as r, open(p, "rb", buffering=0) as f:
        assert b"".join(iter(lambda: f.read(128 << 10), b"")) == data
    assert 32 <= r.n["read"] < 48  # of 128 KiB: 64


def test_write_and_read(mounted):
    data = random_bytes(FILE, 1)
    with Requests(mounted) as r:
        p = new(mounted, "plain", data)
        assert p.stat().st_size == FILE
        drop_caches()
        assert p.read_bytes() == data
    r.check("read", "write")
    if mounted.passed:
        assert mounted.status()["fuse"]["registered_files"] > 0


def test_read_again_after_protect(mounted):
    data = random_bytes(FILE, 2)
    p = new(mounted, "protected", data)
    mounted.protect(p)
    drop_caches()
    with Requests(mounted) as r:
        assert p.read_bytes() == data
    r.check("read")


def test_append_and_rewrite(mounted):
    data = bytearray(random_bytes(FILE, 3))
    p = new(mounted, "changed", data)
    with Requests(mounted) as r:
        with open(p, "ab") as f:
            f.write(b"end" * 1000)
        with open(p, "r+b") as f:
            f.seek(70000)
            f.write(b"middle" * 100)
        data[70000:70600] = b"middle" * 100
        data += b"end" * 1000
        assert p.stat().st_size == len(data)
        assert p.read_bytes() == data
    r.check("read", "write")
    mounted.protect(p)
    mounted.evict(p)
    drop_caches()
    assert p.read_bytes() == data  # what was protected is what was written


def test_mapping(mounted):
    data = bytearray(random_bytes(FILE, 4))
    p = new(mounted, "mapped", data)
    with Requests(mounted) as r:
        with open(p, "r+b") as f, mmap.mmap(f.fileno(), FILE) as m:
            assert m[4096:8192] == data[4096:8192]
            m[100:200] = b"m" * 100
            m.flush()
            assert os.pread(f.fileno(), 100, 100) == b"m" * 100
    data[100:200] = b"m" * 100
    if mounted.passed:
        r.check("read", "write")
    assert p.read_bytes() == data


def test_stores_after_close(mounted):
    """A mapping outlives its descriptor: RELEASE is not the end (S9)."""
    data = bytearray(random_bytes(FILE, 5))
    p = new(mounted, "late", data)
    fd = os.open(p, os.O_RDWR)
    m = mmap.mmap(fd, FILE)
    os.close(fd)
    time.sleep(1.2)
    m[FILE - 10 : FILE] = b"0123456789"
    data[FILE - 10 :] = b"0123456789"
    m.close()
    mounted.protect(p)
    mounted.evict(p)
    drop_caches()
    assert p.read_bytes() == data


def test_direct_io(mounted):
    data = random_bytes(FILE, 6)
    p = new(mounted, "direct", data)
    with Requests(mounted) as r:
        fd = os.open(p, os.O_RDONLY | os.O_DIRECT)
        try:
            with mmap.mmap(-1, 1 << 20) as page:
                assert os.preadv(fd, [page], 1 << 20) == 1 << 20
                assert page[:] == data[1 << 20 : 2 << 20]
        finally:
            os.close(fd)
    r.check("read")


def test_remote_is_fetched_then_passed(mounted):
    data = random_bytes(FILE, 7)
    p = new(mounted, "remote", data)
    mounted.protect(p)
    mounted.evict(p)
    drop_caches()
    with Requests(mounted) as r:
        assert p.read_bytes() == data
    assert r.n["read"] > 0  # whatever the mode: its bytes were not here
    mounted.cli("wait", "--until", "local", p)
    drop_caches()
    with Requests(mounted) as r:
        assert p.read_bytes() == data
    r.check("read")


def test_removed_while_open(mounted):
    data = random_bytes(FILE, 8)
    p = new(mounted, "removed", data)
    with open(p, "rb") as f:
        p.unlink()
        drop_caches()
        assert f.read() == data


def test_evicted_space_is_free(mounted):
    """The kernel holds no file that was evicted."""
    used = lambda: os.statvfs(mounted.work).f_bfree * os.statvfs(mounted.work).f_frsize
    p = new(mounted, "evicted", random_bytes(64 << 20, 9))
    p.read_bytes()
    mounted.protect(p)
    registered = mounted.status()["fuse"]["registered_files"]
    before = used()
    mounted.evict(p)
    if mounted.passed:
        assert registered > mounted.status()["fuse"]["registered_files"]
    wait_for("the space is free", lambda: used() > before + (32 << 20))


def test_many_openers(mounted):
    data = random_bytes(FILE, 10)
    p = new(mounted, "many", data)
    with Requests(mounted) as r:
        files = [open(p, "rb") for _ in range(20)]
        with open(p, "r+b", buffering=0) as w:
            w.write(b"first")
            assert all(f.read(5) == b"first" for f in files)
        for f in files:
            f.close()
    r.check("read", "write")


BROKERS_CAPS = "CapEff:\t0000000000200200"  # CAP_SYS_ADMIN, CAP_LINUX_IMMUTABLE


def loop_ext4(work, where):
    """A filesystem of 320 MiB, a third of which is root's reserve."""
    with open(work / "image", "wb") as f:
        f.truncate(320 << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-m", "33", work / "image"], check=True)
    subprocess.run(["mount", "-o", "loop", work / "image", where], check=True)


def overlay(work, where):
    for d in ("lower", "upper", "layer"):
        (work / d).mkdir()
    options = f"lowerdir={work}/lower,upperdir={work}/upper,workdir={work}/layer"
    subprocess.run(["mount", "-t", "overlay", "-o", options, "x", where], check=True)


@contextlib.contextmanager
def on_disk(mount, passthrough):
    """A gateway whose state lies on a filesystem of its own; and where."""
    with workdir() as work:
        g = Gateway(work, trusts=("rem",), passthrough=passthrough)
        state = work / "state"
        mount(work, state)
        try:
            g.setup().start()
            yield g, state
            g.stop()
            assert not g.sanitizer_reports()
        finally:
            g.destroy()
            print(g.log()[-8000:])
            subprocess.run(["umount", "-l", state], check=False)


@contextlib.contextmanager
def on_small_disk():
    """The same, where files are passed until it is nearly full."""
    if not offered():
        pytest.skip("this kernel has no passthrough")
    with on_disk(loop_ext4, "true, passthrough_reserve: 1MiB") as (g, state):
        ready(g)
        yield g, state


def test_reserve_of_the_disk():
    """What the kernel writes for a client leaves root's reserve alone (S8)."""
    with on_small_disk() as (g, state):
        pid = g.worker_pid()
        with Requests(g) as r, open(g.mount() / "big", "wb", buffering=0) as f:
            f.write(b"x")
            os.kill(pid, signal.SIGSTOP)  # it would use the brake
            try:
                with pytest.raises(OSError) as e:
                    for _ in range(320):
                        f.write(bytes(1 << 20))
                disk = os.statvfs(state)
            finally:
                os.kill(pid, signal.SIGCONT)
        assert e.value.errno == errno.ENOSPC
        assert r.n["write"] == 0
        assert disk.f_bavail * disk.f_frsize < 2 << 20
        assert disk.f_bfree * disk.f_frsize > 96 << 20


def room(state):
    disk = os.statvfs(state)
    return disk.f_bavail * disk.f_frsize


def immutable(state):
    """Cache files that nobody can write to."""
    files = [str(p) for p in (state / "rem" / "cache").glob("??/??/*")]
    out = subprocess.run(["lsattr", *files], capture_output=True, text=True).stdout
    return sum("i" in line.split()[0] for line in out.splitlines())


def write_until(f, code):
    """Slower than it is looked at. How much was written until it was refused."""
    for n in range(400):
        try:
            f.write(bytes(1 << 20))
        except OSError as e:
            assert e.errno == code, e
            return n
        time.sleep(0.02)
    pytest.fail("nothing stops it")


def test_emergency_brake():
    """Who fills the disk past the worker is stopped, not the database; and goes
    on when there is room (S13)."""
    with on_small_disk() as (g, state):
        old = new(g, "old", bytes(50 << 20))
        g.protect(old)
        wait_for("nothing is held", lambda: immutable(state) == 0)
        with open(g.mount() / "big", "wb", buffering=0) as f:
            with Requests(g) as r:
                n = write_until(f, errno.EPERM)
            assert r.n["write"] == 0
            assert immutable(state) == 1
            assert room(state) > 32 << 20
            for i in range(50):  # the database commits
                (g.mount() / f"empty{i}").touch()
            with pytest.raises(OSError) as e:
                open(g.mount() / "big", "ab")
            assert e.value.errno == errno.ENOSPC
            assert len((g.mount() / "big").read_bytes()) == n << 20

            def goes_on():
                try:
                    return f.write(b"end") == 3
                except OSError as e:
                    assert e.errno == errno.EPERM
                    return False

            g.evict(old)
            wait_for("it goes on", goes_on)
            assert immutable(state) == 0
            m = write_until(f, errno.EPERM)
            assert immutable(state) == 1
            # nor does a crash leave any
            pid = g.worker_pid()
            os.kill(pid, signal.SIGKILL)
            wait_for("the worker is gone", lambda: not alive(pid))
        wait_for("it serves again", lambda: g.serves("rem"))
        wait_for("nothing is held", lambda: immutable(state) == 0)
        assert (g.mount() / "big").stat().st_size == (n + m << 20) + 3
        (g.mount() / "big").unlink()
        wait_for("there is room", lambda: room(state) > 128 << 20)


def flushes(where):
    """How often its disk was told to write all that it has."""
    dev = os.stat(where).st_dev
    path = f"/sys/dev/block/{os.major(dev)}:{os.minor(dev)}/stat"
    return int(open(path).read().split()[15])


def test_sync_writes_of_what_is_served():
    """Of a file that is passed, to one who has it open: no FSYNC comes (S2)."""
    with on_small_disk() as (g, state):
        p = g.mount() / "a"
        with open(p, "wb", buffering=0) as first:
            first.write(bytes(8192))
            for flag in os.O_SYNC, os.O_DSYNC:
                os.chmod(p, 0o4755)  # writes of those who come now are served
                fd = os.open(p, os.O_RDWR | flag)
                before = flushes(state)
                with Requests(g) as r:
                    for _ in range(20):
                        os.pwrite(fd, bytes(4096), 0)
                assert r.n["write"] == 20
                assert flushes(state) >= before + 20
                os.close(fd)


def test_stacked_filesystem():
    """The kernel passes nothing through to overlayfs: the worker serves."""
    with on_disk(overlay, "true") as (g, _):
        data = random_bytes(FILE, 14)
        p = new(g, "stacked", data)
        drop_caches()
        with Requests(g) as r:
            assert p.read_bytes() == data
        assert r.n["read"] > 0
        g.protect(p)
        drop_caches()
        assert p.read_bytes() == data
        want = "filesystem" if offered() else "kernel"
        wait_for("it says why", lambda: g.status()["fuse"]["reason"] == want)


def test_single():
    """One process: passed when root mounts it."""
    with workdir() as work:
        g = Gateway(work, trusts=("rem",), passthrough="true")
        g.setup()
        g.mount().mkdir()
        with open(g.log_path, "wb") as log:
            p = subprocess.Popen(
                [g.build / "daemon/main/merseyd", "--single", "rem", g.mount(), "--config", g.config],
                stdout=log, stderr=log, env=g.env(),
            )  # fmt: skip
        try:
            g.proc = p
            wait_for("it serves", lambda: g.serves("rem") and is_mounted(g.mount()))
            ready(g)
            assert g.status()["fuse"]["passthrough"] == g.passed
            data = random_bytes(FILE, 12)
            with Requests(g) as r:
                assert new(g, "single", data).read_bytes() == data
            r.check("read", "write")
            children = open(f"/proc/{p.pid}/task/{p.pid}/children").read().split()
            assert g.stop() == 0
            wait_for("its helpers are gone", lambda: not any(alive(c) for c in children))
            assert not is_mounted(g.mount())
            assert not g.sanitizer_reports()
        finally:
            g.destroy()
            print(g.log()[-8000:])


def broker(g):
    """The child of the supervisor that has these capabilities; its pid."""
    pid = g.proc.pid
    for c in open(f"/proc/{pid}/task/{pid}/children").read().split():
        status = open(f"/proc/{c}/status").read()
        if BROKERS_CAPS in status:
            assert "Uid:\t60901\t60901\t60901\t60901" in status
            return int(c)
    return None


def test_without_its_broker():
    """It is killed: what is open works on, and another one comes."""
    if not offered():
        pytest.skip("this kernel has no passthrough")
    data = random_bytes(FILE, 11)
    with running(trusts=("rem",), passthrough="true") as g:
        pid = broker(g)
        assert pid
        ready(g)
        p = new(g, "before", data)
        with open(p, "rb") as f:
            os.kill(pid, signal.SIGKILL)
            wait_for("the broker is gone", lambda: not alive(pid))
            assert f.read() == data
        assert new(g, "after", data).read_bytes() == data
        assert p.read_bytes() == data
        ready(g)
        assert g.status()["fuse"]["reason"] is None
        assert broker(g) not in (None, pid)
        g.protect(p)
        g.evict(p)  # registered by the first one, given back by the second
        assert "broker" in g.log()
        # and ends with its worker, whose next life has another
        old = g.worker_pid()
        os.kill(old, signal.SIGKILL)
        wait_for("the worker is gone", lambda: not alive(old))
        wait_for("it serves again", lambda: g.serves("rem"))
        wait_for("with another broker", lambda: g.status()["fuse"]["passthrough"] and broker(g))
        assert p.read_bytes() == data
