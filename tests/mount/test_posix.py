# SPDX-License-Identifier: Apache-2.0
"""What programs expect of a local filesystem, as root and as other uids.

The kernel checks permissions; these tests prove that together with what the
daemon does the rules of POSIX come out.
"""
import contextlib
import ctypes
import errno
import fcntl
import importlib.util
import os
import pathlib
import socket
import stat
import signal
import struct
import threading
import time

import pytest

from conftest import CLIENT, drop_caches, wait_for

USER, OTHER = CLIENT["rem"], 61002


@pytest.fixture(scope="module")
def top(gateway):
    """A directory that every uid may use."""
    os.chmod(gateway.mount(), 0o755)
    d = gateway.mount() / "posix"
    d.mkdir()
    d.chmod(0o777)
    return d


@pytest.fixture
def here(top, request):
    d = top / request.node.name
    d.mkdir()
    d.chmod(0o777)
    return d


def mode(path):
    return os.lstat(path).st_mode & 0o7777


# ---- set-id bits and capabilities

CHANGES = {
    "write": "fd = os.open(p, os.O_WRONLY); os.write(fd, b'x')",
    "second": "fd = os.open(p, os.O_WRONLY); os.write(fd, b'x'); os.chmod(p, m); os.write(fd, b'y')",
    "truncate": "os.truncate(p, 3)",
    "ftruncate": "fd = os.open(p, os.O_WRONLY); os.ftruncate(fd, 20000)",
    "open": "os.open(p, os.O_WRONLY | os.O_TRUNC)",
    "fallocate": "fd = os.open(p, os.O_WRONLY); os.posix_fallocate(fd, 0, 20000)",
    "copy": "a = os.open(p + '-from', os.O_RDWR | os.O_CREAT); os.write(a, b'abc')\n"
    "b = os.open(p, os.O_RDWR); assert os.copy_file_range(a, b, 3, 0, 0) == 3",
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_change_clears_set_id_bits(gateway, here, how):
    for group, before, after in (
        (USER, 0o6755, 0o755),
        (USER, 0o6745, 0o2745),
        (USER, 0o4600, 0o600),
        (OTHER, 0o6666, 0o666),
    ):
        p = here / f"{before:o}"
        p.write_bytes(b"0123456789")
        os.chown(p, USER, group)
        p.chmod(before)
        gateway.as_client(CHANGES[how], p=str(p), m=before)
        assert mode(p) == after, f"{how} {before:o}"


def test_root_keeps_set_id_bits(here):
    p = here / "f"
    p.write_bytes(b"0123456789")
    p.chmod(0o6755)
    with open(p, "r+b") as f:
        f.write(b"x")
        f.flush()
        os.posix_fallocate(f.fileno(), 0, 20000)
    os.truncate(p, 3)
    assert mode(p) == 0o6755


def test_chown_clears_set_id_bits(gateway, here):
    for before, after in ((0o6755, 0o755), (0o2745, 0o2745), (0o4644, 0o644)):
        p = here / f"{before:o}"
        p.write_bytes(b"")
        p.chmod(before)
        os.chown(p, USER, USER)
        assert mode(p) == after, f"{before:o}"
    d = here / "d"
    d.mkdir()
    d.chmod(0o2755)
    os.chown(d, USER, USER)
    assert mode(d) == 0o2755


# cap_net_raw=p, as setcap(8) writes it
CAPS = bytes.fromhex("0000000200200000000000000000000000000000")


@pytest.mark.parametrize("how", [*CHANGES, "chown"])
def test_a_change_removes_capabilities(gateway, here, how):
    p = here / "f"
    p.write_bytes(b"0123456789")
    os.setxattr(p, "security.capability", CAPS)
    assert os.getxattr(p, "security.capability") == CAPS
    code = "os.chown(p, 1, 1)" if how == "chown" else CHANGES[how]
    gateway.as_client(code, uid=0, p=str(p), m=0o644)
    assert "security.capability" not in os.listxattr(p)


# ---- ACLs

UNDEFINED = 0xFFFFFFFF
USER_OBJ, NAMED_USER, GROUP_OBJ, NAMED_GROUP, MASK, OTHERS = 1, 2, 4, 8, 16, 32
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"


def acl(*entries):
    """Bytes of linux/posix_acl_xattr.h from (tag, permissions[, id])."""
    rows = [(*e, UNDEFINED)[:3] for e in entries]
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *r) for r in rows)


def shared(user, owner=7, group=5, mask=7, others=0):
    """An ACL that lets `user` do everything."""
    return acl((USER_OBJ, owner), (NAMED_USER, 7, user), (GROUP_OBJ, group), (MASK, mask), (OTHERS, others))


def may(gateway, uid, code, **names):
    """True when it works as `uid`, False when that may not."""
    text = "\n".join(["try:", *(f"    {l}" for l in code.split("\n")), "except PermissionError: print('no')", "else: print('yes')"])
    return gateway.as_client(text, uid=uid, **names) == "yes\n"


def refused(code, call, *args):
    with pytest.raises(OSError) as e:
        call(*args)
    assert e.value.errno == code


def test_an_acl_is_enforced(gateway, here):
    p = here / "f"
    p.write_bytes(b"secret")
    p.chmod(0o600)
    read = "open(p).read()"
    assert not may(gateway, USER, read, p=str(p))
    os.setxattr(p, ACCESS, shared(USER))
    assert mode(p) == 0o770
    assert may(gateway, USER, read, p=str(p))
    assert not may(gateway, OTHER, read, p=str(p))
    assert ACCESS in os.listxattr(p)
    p.chmod(0o700)  # the mask goes
    assert os.getxattr(p, ACCESS) == shared(USER, mask=0)
    assert not may(gateway, USER, read, p=str(p))
    p.chmod(0o640)
    assert may(gateway, USER, read, p=str(p))
    os.removexattr(p, ACCESS)
    assert mode(p) == 0o640
    assert not may(gateway, USER, read, p=str(p))
    refused(errno.ENODATA, os.getxattr, p, ACCESS)


def test_an_acl_that_says_no_more_than_the_mode(here):
    p = here / "f"
    p.write_bytes(b"")
    os.setxattr(p, ACCESS, acl((USER_OBJ, 6), (GROUP_OBJ, 4), (OTHERS, 0)))
    assert mode(p) == 0o640
    assert os.listxattr(p) == []


def test_who_may_set_an_acl(gateway, here):
    p = here / "f"
    p.write_bytes(b"")
    value = shared(USER).hex()
    code = "os.setxattr(p, a, bytes.fromhex(value))"
    assert not may(gateway, USER, code, p=str(p), a=ACCESS, value=value)
    os.chown(p, USER, USER)
    assert may(gateway, USER, code, p=str(p), a=ACCESS, value=value)
    refused(errno.EACCES, os.setxattr, p, DEFAULT, shared(USER))
    refused(errno.EINVAL, os.setxattr, p, ACCESS, acl((USER_OBJ, 7), (OTHERS, 7)))


def test_setgid_and_acls(gateway, here):
    """Who is not in a file's group cannot keep its S_ISGID alive."""
    for group, after in ((OTHER, 0o770), (USER, 0o2770)):
        p = here / str(group)
        p.write_bytes(b"")
        os.chown(p, USER, group)
        p.chmod(0o2755)
        gateway.as_client(
            "os.setxattr(p, a, bytes.fromhex(value))", p=str(p), a=ACCESS, value=shared(OTHER).hex()
        )
        assert mode(p) == after


def test_default_acls_are_inherited(gateway, here):
    here.chmod(0o777)
    os.setxattr(here, DEFAULT, shared(OTHER, group=5, mask=7, others=0))
    gateway.as_client(
        "os.umask(0o077)\n"
        "os.close(os.open(d + '/file', os.O_CREAT, 0o666))\n"
        "os.mkdir(d + '/dir', 0o777)\n"
        "os.mkfifo(d + '/fifo', 0o660)\n"
        "os.symlink('file', d + '/link')\n",
        d=str(here),
    )
    # the umask plays no part
    assert {n: mode(here / n) for n in os.listdir(here)} == {
        "file": 0o660, "dir": 0o770, "fifo": 0o660, "link": 0o777,
    }  # fmt: skip
    assert os.getxattr(here / "file", ACCESS) == shared(OTHER, owner=6, mask=6)
    assert os.getxattr(here / "dir", DEFAULT) == os.getxattr(here, DEFAULT)
    refused(errno.ENODATA, os.getxattr, here / "file", DEFAULT)
    assert may(gateway, OTHER, "open(p, 'r+').close()", p=str(here / "file"))
    os.removexattr(here, DEFAULT)
    gateway.as_client("os.umask(0o027); os.mkdir(d + '/plain')", d=str(here))
    assert mode(here / "plain") == 0o750


# ---- other attributes


def test_walks_of_others_ask_for_nothing(gateway, here):
    """Names, attributes and ACLs are kept, those of the trust's root as well:
    a worker that is not asked reads no request."""
    p = here / "f"
    p.write_bytes(b"x")
    p.chmod(0o644)
    walk = "for i in range(n): os.stat(p)"
    gateway.as_client(walk, uid=OTHER, p=str(p), n=10)

    def reads():
        with open(f"/proc/{gateway.worker_pid()}/io") as f:
            return int(dict(line.split(": ") for line in f)["syscr"])

    def asked():
        before = reads()
        gateway.as_client(walk, uid=OTHER, p=str(p), n=5000)
        return reads() - before

    wait_for("5,000 walks without 5,000 requests", lambda: asked() < 2500)


def test_the_root_of_a_mount(gateway, here):
    """It is reached by a name that hides no file of the same name."""
    root = gateway.mount()
    assert os.stat(here / ".." / "..").st_ino == os.stat(root).st_ino == 1
    hidden = root / ".mersey-root"
    with pytest.raises(FileNotFoundError):
        hidden.stat()
    hidden.write_bytes(b"a file like others")
    os.rename(hidden, here / "moved")
    os.rename(here / "moved", hidden)
    assert ".mersey-root" in os.listdir(root)
    assert hidden.read_bytes() == b"a file like others"
    hidden.unlink()


def test_xattr_namespaces(gateway, here):
    p = here / "f"
    p.write_bytes(b"")
    p.chmod(0o666)
    for name in ("trusted.glusterfs", "security.NTACL", "user.DOSATTRIB"):
        os.setxattr(p, name, b"value\0of " + name.encode())
    assert sorted(os.listxattr(p)) == ["security.NTACL", "trusted.glusterfs", "user.DOSATTRIB"]
    seen = gateway.as_client("print(sorted(os.listxattr(p)))", p=str(p))
    assert seen == "['security.NTACL', 'user.DOSATTRIB']\n"
    for name in ("trusted.x", "security.x"):
        assert not may(gateway, USER, "os.setxattr(p, n, b'')", p=str(p), n=name)
    assert may(gateway, USER, "os.setxattr(p, 'user.x', b'')", p=str(p))
    os.mkfifo(here / "fifo")
    refused(errno.EPERM, os.setxattr, here / "fifo", "user.x", b"")


def members(g, pack):
    """What a pack says of its files, by the reader that shares no code."""
    path = pathlib.Path(__file__).parents[1] / "unit/pack/read_pack.py"
    spec = importlib.util.spec_from_file_location("read_pack", path)
    reader = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reader)
    key = (g.work / "secrets/rem.key").read_text()
    keys = [v for k, v in g.objects().items() if "keys/" in k]
    assert len(keys) == 1
    return list(reader.read_pack(key, keys[0], pack))


def test_samba_attributes_survive_a_recall(gateway, here):
    p = here / "f"
    p.write_bytes(b"x" * 500)
    want = {
        "user.DOSATTRIB": b"\0\0\5\0\5\0\0\0" + bytes(range(48)),
        "security.NTACL": bytes(range(256)) * 4,
        "trusted.overlay": b"",
        ACCESS: shared(OTHER),
    }
    for k, v in want.items():
        os.setxattr(p, k, v)
    os.setxattr(here, DEFAULT, shared(OTHER))
    before = gateway.packs()
    gateway.protect(here)
    stored = [m for k, v in gateway.packs().items() if k not in before for m in members(gateway, v)]
    stored = [m["xattrs"] for m in stored if m["inode"] == p.stat().st_ino]
    assert stored == [{k: v.hex() for k, v in want.items()}]
    assert not gateway.evict(here)["skipped"]
    assert gateway.info(p)["state"] == "remote"
    drop_caches()
    assert {k: os.getxattr(p, k) for k in os.listxattr(p)} == want
    assert p.read_bytes() == b"x" * 500
    assert {k: os.getxattr(p, k) for k in os.listxattr(p)} == want
    assert os.getxattr(here, DEFAULT) == shared(OTHER)


# ---- by node id, as an NFS server keeps files

LIBC = ctypes.CDLL(None, use_errno=True)


class FileHandle(ctypes.Structure):
    _fields_ = [("size", ctypes.c_uint), ("type", ctypes.c_int), ("bytes", ctypes.c_ubyte * 128)]


def handle_of(path):
    h, mount = FileHandle(128), ctypes.c_int()
    if LIBC.name_to_handle_at(-100, os.fsencode(path), ctypes.byref(h), ctypes.byref(mount), 0) < 0:
        raise OSError(ctypes.get_errno(), "name_to_handle_at")
    return h


@contextlib.contextmanager
def opened_by_handle(g, h, flags=os.O_RDONLY):
    top = os.open(g.mount(), os.O_RDONLY | os.O_DIRECTORY)
    try:
        fd = LIBC.open_by_handle_at(top, ctypes.byref(h), flags)
        if fd < 0:
            raise OSError(ctypes.get_errno(), "open_by_handle_at")
    finally:
        os.close(top)
    try:
        yield fd
    finally:
        os.close(fd)


def stale(g, h):
    with pytest.raises(OSError) as e, opened_by_handle(g, h):
        pass
    assert e.value.errno == errno.ESTALE


def test_file_handles_stay_valid(gateway, here):
    d = here / "a" / "b"
    d.mkdir(parents=True)
    p = d / "f"
    p.write_bytes(b"content")
    file, directory, gone = handle_of(p), handle_of(d), FileHandle(128)
    (d / "gone").write_bytes(b"")
    gone = handle_of(d / "gone")
    os.unlink(d / "gone")

    def check():
        with opened_by_handle(gateway, file, os.O_RDWR) as fd:
            assert os.pread(fd, 100, 0) == b"content"
            assert os.fstat(fd).st_ino == p.stat().st_ino
        with opened_by_handle(gateway, directory) as fd:
            # the kernel found the way up by ".."
            assert os.readlink(f"/proc/self/fd/{fd}") == str(d)
            assert "f" in os.listdir(fd)

    drop_caches()
    check()
    wait_for("the inode is gone", lambda: stale_now(gateway, gone))
    gateway.stop()
    gateway.start()
    check()
    stale(gateway, gone)
    # an inode and a generation that never were
    for i, byte in ((3, 0x7F), (8, 0x7F)):
        never = FileHandle.from_buffer_copy(file)
        never.bytes[i] = byte
        stale(gateway, never)
    os.rename(d, here / "moved")
    drop_caches()
    with opened_by_handle(gateway, file) as fd:
        assert os.pread(fd, 100, 0) == b"content"


def stale_now(g, h):
    try:
        with opened_by_handle(g, h):
            return False
    except OSError as e:
        assert e.errno == errno.ESTALE
        return True


# ---- files without a name


def test_tmpfile(gateway, here):
    fd = os.open(here, os.O_TMPFILE | os.O_RDWR, 0o640)
    os.write(fd, b"x" * 100000)
    os.fsync(fd)
    assert os.fstat(fd).st_nlink == 0
    assert os.listdir(here) == []
    os.link(f"/proc/self/fd/{fd}", here / "f", src_dir_fd=fd, follow_symlinks=True)
    assert os.fstat(fd).st_nlink == 1
    os.close(fd)
    assert (here / "f").read_bytes() == b"x" * 100000
    assert mode(here / "f") & ~0o022 == 0o640
    gateway.protect(here)
    assert not gateway.evict(here)["skipped"]
    drop_caches()
    assert (here / "f").read_bytes() == b"x" * 100000
    fd = os.open(here, os.O_TMPFILE | os.O_RDWR | os.O_EXCL)
    refused(errno.ENOENT, lambda: os.link(f"/proc/self/fd/{fd}", here / "g", src_dir_fd=fd, follow_symlinks=True))
    os.close(fd)
    # permissions, the group of the directory, and its default ACL
    os.chown(here, 0, OTHER)
    here.chmod(0o3775)
    assert not may(gateway, USER, "os.open(d, os.O_TMPFILE | os.O_RDWR)", d=str(here))
    os.setxattr(here, DEFAULT, shared(USER))
    fd = os.open(here, os.O_TMPFILE | os.O_RDWR, 0o666)
    assert os.fstat(fd).st_gid == OTHER
    assert os.fstat(fd).st_mode & 0o7777 == 0o660
    os.close(fd)


def test_nothing_is_left_of_a_tmpfile_after_a_crash(gateway, here):
    (here / "f").write_bytes(b"f")
    before = gateway.status()["cached_bytes"]
    fds = [os.open(here, os.O_TMPFILE | os.O_RDWR) for _ in range(10)]
    for fd in fds:
        os.write(fd, b"x" * 1000000)
    wait_for("they are counted", lambda: gateway.status()["cached_bytes"] >= before + 10 * 1000000)
    os.kill(gateway.worker_pid(), signal.SIGKILL)
    for fd in fds:
        with contextlib.suppress(OSError):
            os.close(fd)
    wait_for("a new worker", lambda: gateway.serves("rem"), 60)
    wait_for("their bytes are gone", lambda: gateway.status()["cached_bytes"] < before + 1000000)
    assert (here / "f").read_bytes() == b"f"


def test_removed_while_open(gateway, here):
    """Everything that works on a descriptor goes on without a name."""
    p = here / "f"
    p.write_bytes(b"old")
    a, b = os.open(p, os.O_RDWR), os.open(p, os.O_RDONLY)
    os.unlink(p)
    os.write(a, b"new!")
    os.ftruncate(a, 3)
    os.fchmod(a, 0o600)
    os.utime(a, ns=(5, 7))
    os.setxattr(a, "user.x", b"1")
    again = os.open(f"/proc/self/fd/{b}", os.O_RDWR)
    os.close(a)
    assert os.pread(b, 100, 0) == b"new"
    st = os.fstat(again)
    assert (st.st_nlink, st.st_mode & 0o7777, st.st_mtime_ns) == (0, 0o600, 7)
    assert os.getxattr(b, "user.x") == b"1"
    os.pwrite(again, b"N", 0)
    assert os.pread(b, 100, 0) == b"New"
    os.close(again)
    os.close(b)
    d = here / "d"
    d.mkdir()
    fd = os.open(d, os.O_RDONLY)
    os.rmdir(d)
    assert os.listdir(fd) == []
    assert os.fstat(fd).st_nlink == 0
    refused(errno.ENOENT, lambda: os.open("x", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)


# ---- listing


def entries(fd, size=32768):
    """The next (name, cookie) pairs of a directory; [] at its end."""
    buf = ctypes.create_string_buffer(size)
    n = LIBC.getdents64(fd, buf, size)
    assert n >= 0, ctypes.get_errno()
    out, at = [], 0
    while at < n:
        _, cookie, length = struct.unpack_from("<QqH", buf, at)
        out.append((buf.raw[at + 19 : at + length].split(b"\0", 1)[0].decode(), cookie))
        at += length
    return out


def whole(fd):
    out = []
    while got := entries(fd):
        out += got
    return out


class Churn:
    """Names come, change and go in a directory meanwhile."""

    def __init__(self, d):
        self.d, self.rounds, self.over = d, 0, False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over:
            a, b = self.d / f"new-{self.rounds}", self.d / f"moved-{self.rounds}"
            a.write_bytes(b"")
            a.rename(b)
            b.unlink()
            self.rounds += 1

    def __enter__(self):
        self.thread.start()
        wait_for("changes", lambda: self.rounds > 3)
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


def listing_is_stable(d, n):
    want = {f"stays-{i}" for i in range(n)} | {".", ".."}
    fd = os.open(d, os.O_RDONLY)
    try:
        with Churn(d) as c:
            before = c.rounds
            first = [e for e in whole(fd) if e[0] in want]
            assert sorted(name for name, _ in first) == sorted(want)
            wait_for("more changes", lambda: c.rounds > before + 3)
            # cookies: from the middle on, and back, after all those changes
            for at in (n // 2, n // 10, n - 1):
                os.lseek(fd, first[at][1], os.SEEK_SET)
                assert [e for e in whole(fd) if e[0] in want] == first[at + 1 :]
            os.lseek(fd, 0, os.SEEK_SET)
            assert [e for e in whole(fd) if e[0] in want] == first
    finally:
        os.close(fd)


def test_listing_while_names_change(here):
    for i in range(3000):
        os.close(os.open(here / f"stays-{i}", os.O_CREAT | os.O_WRONLY))
    listing_is_stable(here, 3000)
    # rm -r: what was listed goes before the rest is asked for
    fd = os.open(here, os.O_RDONLY)
    while got := entries(fd, 4096):
        for name, _ in got:
            if name not in (".", ".."):
                os.unlink(here / name)
    os.close(fd)
    os.rmdir(here)


def memory(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(l.split()[1]) for l in f if l.startswith("VmRSS")) << 10


@pytest.mark.full
def test_a_million_names(gateway, here):
    n = 1000000
    for i in range(n):
        os.close(os.open(here / f"stays-{i}", os.O_CREAT | os.O_WRONLY))
    drop_caches()
    fd = os.open(here, os.O_RDONLY)
    entries(fd)
    before = memory(gateway.worker_pid())
    names = 0
    while got := entries(fd):
        names += len(got)
    assert names > n - 1000
    assert memory(gateway.worker_pid()) < before + (64 << 20)
    os.close(fd)
    listing_is_stable(here, n)


# ---- times


def times(path):
    st = os.lstat(path)
    return st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns


def changed(path, call):
    """Which of a, m and c `call` moves forward; the clock of a disk is coarse."""
    before = times(path)
    time.sleep(0.02)
    call()
    return "".join(k for k, old, new in zip("amc", before, times(path)) if new > old)


def test_times_of_a_directory(here):
    d, f = here / "d", here / "f"
    d.mkdir()
    f.write_bytes(b"")
    for what, call in {
        "create": lambda: (d / "a").write_bytes(b""),
        "mkdir": lambda: (d / "dir").mkdir(),
        "symlink": lambda: os.symlink("x", d / "l"),
        "mkfifo": lambda: os.mkfifo(d / "p"),
        "link": lambda: os.link(d / "a", d / "b"),
        "rename inside": lambda: os.rename(d / "a", d / "c"),
        "rename in": lambda: os.rename(f, d / "f"),
        "rename over": lambda: os.rename(d / "f", d / "c"),
        "rename out": lambda: os.rename(d / "c", f),
        "unlink": lambda: os.unlink(d / "b"),
        "rmdir": lambda: os.rmdir(d / "dir"),
    }.items():
        assert changed(d, call) == "mc", what
    for what, call in {
        "chmod": lambda: d.chmod(0o700),
        "setxattr": lambda: os.setxattr(d, "user.a", b"1"),
        "removexattr": lambda: os.removexattr(d, "user.a"),
    }.items():
        assert changed(d, call) == "c", what
    for call in (lambda: os.mkdir(d), lambda: os.rmdir(here)):
        with pytest.raises(OSError):
            call()


def test_times_of_a_file(here):
    f = here / "f"
    f.write_bytes(b"x")
    for what, call in {
        "chmod": lambda: f.chmod(0o700),
        "chown": lambda: os.chown(f, 1, 1),
        "link": lambda: os.link(f, here / "g"),
        "rename": lambda: os.rename(f, here / "h") or os.rename(here / "h", f),
        "unlink": lambda: os.unlink(here / "g"),
        "setxattr": lambda: os.setxattr(f, "user.a", b"1"),
        "removexattr": lambda: os.removexattr(f, "user.a"),
    }.items():
        assert changed(f, call) == "c", what
    assert changed(f, lambda: f.write_bytes(b"abc")) == "mc"
    assert changed(f, lambda: os.truncate(f, 10)) == "mc"
    assert changed(f, lambda: os.truncate(f, 10)) in ("", "mc")


def test_access_times(here):
    """As relatime: the first read after a change, whoever has it cached."""
    f, d, l = here / "f", here / "d", here / "l"
    f.write_bytes(b"x" * 8192)  # whole pages: they are in the page cache
    d.mkdir()
    os.symlink("target", l)
    for p, read in ((f, f.read_bytes), (d, lambda: os.listdir(d)), (l, lambda: os.readlink(l))):
        assert changed(p, read) == "a", p
        assert changed(p, read) == "", p
    f.write_bytes(b"y" * 8192)
    os.utime(d)
    fd = os.open(f, os.O_RDONLY | os.O_NOATIME)
    assert changed(f, lambda: os.read(fd, 10)) == ""
    os.close(fd)
    assert changed(f, f.read_bytes) == "a"
    old = 1_000_000_000
    os.utime(f, ns=(old + 1, old))
    assert changed(f, f.read_bytes) == "a"  # ctime is newer


def test_setting_times(here):
    f = here / "f"
    f.write_bytes(b"")
    omit, now = 0x3FFFFFFE, 0x3FFFFFFF

    def utimensat(a, m):
        ts = (ctypes.c_long * 4)(*a, *m)
        assert LIBC.utimensat(-100, os.fsencode(f), ts, 0) == 0

    utimensat((1234, 567890123), (-5, 999999999))
    assert times(f)[:2] == (1234_567890123, -4_000000001)
    utimensat((0, omit), (9_000_000_000, 1))  # in 2255
    assert times(f)[:2] == (1234_567890123, 9_000_000_000_000_000_001)
    assert changed(f, lambda: utimensat((0, omit), (0, omit))) == ""
    before = time.time_ns() - 10_000_000
    utimensat((0, now), (0, omit))
    assert times(f)[0] >= before and times(f)[1] == 9_000_000_000_000_000_001
    link = here / "l"
    os.symlink("f", link)
    os.utime(link, ns=(1, 2), follow_symlinks=False)
    assert times(link)[:2] == (1, 2)


# ---- who may do what


def test_sticky_directories(gateway, here):
    here.chmod(0o1777)
    for uid in (USER, OTHER):
        gateway.as_client("open(p, 'w').close(); os.chmod(p, 0o666)", uid=uid, p=str(here / str(uid)))
    mine, theirs = str(here / str(USER)), str(here / str(OTHER))
    for code in ("os.unlink(theirs)", "os.rename(theirs, mine)", "os.rename(theirs, d + '/new')", "os.rename(mine, theirs)"):
        assert not may(gateway, USER, code, mine=mine, theirs=theirs, d=str(here)), code
    assert may(gateway, USER, "open(theirs, 'w').close()", theirs=theirs)
    assert may(gateway, USER, "os.rename(mine, d + '/new'); os.unlink(d + '/new')", mine=mine, d=str(here))
    os.chown(here, USER, USER)  # the directory's owner may
    assert may(gateway, USER, "os.unlink(theirs)", theirs=theirs)


def test_setgid_directories(gateway, here):
    os.chown(here, 0, OTHER)
    here.chmod(0o2777)
    gateway.as_client(
        "os.umask(0)\n"
        "os.mkdir(d + '/dir', 0o755)\n"
        "os.close(os.open(d + '/plain', os.O_CREAT, 0o755))\n"
        "os.close(os.open(d + '/setgid', os.O_CREAT, 0o2755))\n"
        "os.mkfifo(d + '/fifo', 0o600)\n"
        "os.symlink('x', d + '/link')\n",
        d=str(here),
    )
    got = {n: (os.lstat(here / n).st_gid, mode(here / n)) for n in os.listdir(here)}
    assert got == {
        "dir": (OTHER, 0o2755),
        "plain": (OTHER, 0o755),
        "setgid": (OTHER, 0o755),  # not a member: no S_ISGID for them
        "fifo": (OTHER, 0o600),
        "link": (OTHER, 0o777),
    }
    p = str(here / "plain")
    assert may(gateway, USER, "os.chmod(p, 0o2755)", p=p)
    assert mode(p) == 0o755


# ---- names, links, sizes


def test_names_and_links(here):
    with_room = here / ("n" * 255)
    with_room.write_bytes(b"")
    for call in (os.mkdir, os.mkfifo, os.unlink, os.stat):
        refused(errno.ENAMETOOLONG, call, here / ("n" * 256))
    refused(errno.ENAMETOOLONG, os.rename, with_room, here / ("m" * 256))
    refused(errno.ENAMETOOLONG, os.stat, str(here) + "/." * 2048)
    target = ("d/" * 2048)[:4095]
    os.symlink(target, here / "long")
    assert os.readlink(here / "long") == target
    assert os.lstat(here / "long").st_size == 4095
    drop_caches()
    assert os.readlink(here / "long") == target
    refused(errno.ENAMETOOLONG, os.symlink, target + "x", here / "longer")
    os.symlink("b", here / "a")
    os.symlink("a", here / "b")
    refused(errno.ELOOP, os.stat, here / "a")
    refused(errno.ELOOP, lambda: os.open(here / "a", os.O_RDONLY | os.O_NOFOLLOW))
    f, d = here / "f", here / "dir"
    f.write_bytes(b"")
    d.mkdir()
    (d / "sub").mkdir()
    refused(errno.ENOTEMPTY, os.rmdir, d)
    refused(errno.EISDIR, os.unlink, d)
    refused(errno.EISDIR, lambda: os.open(d, os.O_WRONLY))
    refused(errno.ENOTDIR, os.rmdir, f)
    refused(errno.ENOTDIR, os.stat, f / "x")
    refused(errno.ENOENT, os.stat, here / "none")
    refused(errno.EXDEV, os.rename, f, "/tmp/f")
    refused(errno.EXDEV, os.link, f, "/tmp/f")
    refused(errno.EINVAL, os.rename, d, d / "sub" / "x")
    refused(errno.EPERM, os.link, d, here / "hard")


def test_link_counts_and_rename(here):
    d, f = here / "d", here / "f"
    d.mkdir()
    assert os.stat(here).st_nlink == 3
    (d / "a").mkdir()
    (d / "b").mkdir()
    assert os.stat(d).st_nlink == 4
    f.write_bytes(b"new")
    (here / "g").write_bytes(b"old")
    os.link(here / "g", here / "h")
    with open(here / "g", "rb") as g:
        os.rename(f, here / "g")  # over an open file
        assert g.read() == b"old"
        assert os.fstat(g.fileno()).st_nlink == 1
    assert (here / "g").read_bytes() == b"new"
    os.rename(here / "h", here / "h")
    (here / "full").mkdir()
    (here / "full" / "x").write_bytes(b"")
    refused(errno.ENOTEMPTY, os.rename, d, here / "full")
    refused(errno.EISDIR, os.rename, here / "g", here / "full")
    refused(errno.ENOTDIR, os.rename, d, here / "g")
    os.rename(here / "full", here / "moved")  # not empty, with what is in it
    assert os.listdir(here / "moved") == ["x"]
    os.rename(d / "a", d / "b")
    assert os.stat(d).st_nlink == 3
    assert LIBC.renameat2(-100, os.fsencode(d), -100, os.fsencode(here / "g"), 2) == 0
    assert (here / "d").read_bytes() == b"new" and os.listdir(here / "g") == ["b"]


def test_special_files(here):
    os.mkfifo(here / "fifo", 0o640)
    os.mknod(here / "chr", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    os.mknod(here / "blk", stat.S_IFBLK | 0o600, os.makedev(7, 300))
    os.mknod(here / "reg", stat.S_IFREG | 0o600)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(here / "sock"))
    drop_caches()
    kinds = {n: stat.S_IFMT(os.lstat(here / n).st_mode) for n in os.listdir(here)}
    assert kinds == {
        "fifo": stat.S_IFIFO,
        "chr": stat.S_IFCHR,
        "blk": stat.S_IFBLK,
        "reg": stat.S_IFREG,
        "sock": stat.S_IFSOCK,
    }
    assert os.lstat(here / "chr").st_rdev == os.makedev(1, 3)
    assert os.lstat(here / "blk").st_rdev == os.makedev(7, 300)
    refused(errno.EACCES, lambda: os.open(here / "chr", os.O_RDWR))  # nodev
    r = os.open(here / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    w = os.open(here / "fifo", os.O_WRONLY | os.O_NONBLOCK)
    os.write(w, b"through")
    assert os.read(r, 100) == b"through"
    os.close(r)
    os.close(w)


def test_sixteen_tib(here):
    """As far as the filesystem below the cache goes."""
    p = here / "f"
    fd = os.open(p, os.O_RDWR | os.O_CREAT)
    size = 1 << 44
    while True:
        try:
            os.ftruncate(fd, size)
            break
        except OSError as e:
            assert e.errno == errno.EFBIG
            size -= 1 << 16
    assert size >= (1 << 44) - (1 << 16)
    os.pwrite(fd, b"the end", size - 7)
    assert os.fstat(fd).st_size == size
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.pread(fd, 100, size - 7) == b"the end"
    assert os.pread(fd, 4, size // 2) == b"\0" * 4
    assert os.lseek(fd, 0, os.SEEK_DATA) >= size - (1 << 16)
    refused(errno.EFBIG, os.ftruncate, fd, (1 << 44) + 1)
    refused(errno.EFBIG, os.pwrite, fd, b"x", 1 << 44)
    assert os.fstat(fd).st_size == size
    assert os.fstat(fd).st_blocks < 1000
    os.close(fd)
    os.unlink(p)


# ---- locks


def taken(gateway, path, how):
    """Does another process find it locked?"""
    code = {
        "flock": "fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "posix": "fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)",
        "ofd": "fcntl.fcntl(f, fcntl.F_OFD_SETLK, struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, 5, 10, 0))",
    }[how]
    return gateway.as_client(
        f"import fcntl, struct\nf = open(p, 'r+')\ntry:\n    {code}\nexcept OSError: print('taken')", p=str(path)
    ) == "taken\n"


def test_locks(gateway, here):
    p = here / "f"
    p.write_bytes(b"x" * 100)
    os.chown(p, USER, USER)
    f, again = open(p, "r+b"), open(p, "r+b")
    fcntl.flock(f, fcntl.LOCK_EX)
    assert taken(gateway, p, "flock")
    refused(errno.EWOULDBLOCK, lambda: fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB))
    assert not taken(gateway, p, "posix")
    fcntl.flock(f, fcntl.LOCK_UN)
    assert not taken(gateway, p, "flock")
    fcntl.lockf(f, fcntl.LOCK_EX, 10, 0)  # bytes 0 to 9, the other asks for 5 to 14
    assert taken(gateway, p, "posix") and taken(gateway, p, "ofd")
    fcntl.lockf(f, fcntl.LOCK_UN, 5, 5)
    assert not taken(gateway, p, "posix")
    fcntl.lockf(f, fcntl.LOCK_EX, 10, 0)
    again.close()  # any close drops the process's POSIX locks
    assert not taken(gateway, p, "posix")
    again = open(p, "r+b")
    lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, 0, 0, 10, 0)
    fcntl.fcntl(f, fcntl.F_OFD_SETLK, lock)
    refused(errno.EAGAIN, lambda: fcntl.fcntl(again, fcntl.F_OFD_SETLK, lock))
    again.close()
    assert taken(gateway, p, "ofd") and taken(gateway, p, "posix")
    f.close()
    assert not taken(gateway, p, "ofd") and not taken(gateway, p, "flock")
