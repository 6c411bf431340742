# SPDX-License-Identifier: Apache-2.0
"""Random operations on model.py's filesystem and a real one side by side.
After each step results, errors, attributes and contents of what was touched
are compared; the whole tree now and then.

Run on a directory of a filesystem that is known to be right, the model itself
is checked:  python3 walk.py DIRECTORY [SEED [STEPS]]   (as root)
"""
import collections
import ctypes
import errno
import mmap
import os
import random
import stat
import sys
import time

from model import EXCHANGE, KEEP_SIZE, NOREPLACE, PUNCH_HOLE, TYPES, ZERO_RANGE, Node, Tree, fail

libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long)
libc.renameat2.argtypes = (
    ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint
)  # fmt: skip

FILE_MAX = 1 << 20
TOTAL_MAX = 12 << 20  # of all files
NODES_MAX = 150
HANDLES_MAX = 16
SLACK = 20_000_000  # ns: filesystems look at a clock that ticks
HISTORY = 30


class Mismatch(AssertionError):
    pass


class Handle:
    def __init__(self, node, fd, flags):
        self.node, self.fd, self.flags = node, fd, flags
        self.reads = flags & os.O_ACCMODE != os.O_WRONLY
        self.writes = flags & os.O_ACCMODE != os.O_RDONLY


def attempt(call, *args):
    try:
        return call(*args)
    except OSError as e:
        return errno.errorcode[e.errno]


def checked(rc):
    if rc < 0:
        fail(ctypes.get_errno())


class Walk:
    """Random operations on the model and below `root`."""

    def __init__(self, root, seed, special=()):
        self.rng = random.Random(seed)
        self.seed, self.root = seed, os.fsencode(root)
        self.tree = Tree()
        self.handles = []
        self.steps = 0
        self.counts = collections.Counter()
        self.history = collections.deque(maxlen=HISTORY)
        self.names = [b"%c" % c for c in b"abcdefgh"] + ["ü".encode(), b"\xff\xfe", b"n" * 255]
        # what happens besides, {name: (weight, function)}: the mount's
        self.special = dict(special)
        ops = {k[3:]: w for k, w in WEIGHTS.items()}
        ops.update({k: w for k, (w, _) in self.special.items()})
        self.ops, self.weights = list(ops), list(ops.values())
        st = os.lstat(root)
        top = self.tree.root
        top.mode, top.uid, top.gid = stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid
        self.learn(top, st)

    # ---- comparing

    def mismatch(self, what):
        raise Mismatch(
            f"{what}\nseed {self.seed}, step {self.steps}; the last operations:\n  "
            + "\n  ".join(self.history).replace("n" * 255, "n{255}")
        )

    def real(self, path):
        return os.path.join(self.root, path)

    def stat(self, node):
        """The real attributes of a node, by name or through a handle."""
        if node.names:
            return os.lstat(self.real(self.tree.path(node)))
        for h in self.handles:
            if h.node is node:
                return os.fstat(h.fd)
        return None

    def learn(self, node, st=None):
        st = st or self.stat(node)
        node.times = [st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns]
        node.ino = st.st_ino

    def check_attributes(self, node, st):
        want = {
            "mode": TYPES[node.kind] | node.mode,
            "uid": node.uid,
            "gid": node.gid,
            "nlink": node.nlink(),
            "ino": node.ino,
        }
        if node.kind in "fl":
            want["size"] = node.size()
        if node.times:
            want["mtime_ns"], want["ctime_ns"] = node.times[1:]
            if node.kind == "f" and not self.read_late(node, st):
                want["atime_ns"] = node.times[0]
        got = {k: getattr(st, f"st_{k}") for k in want}
        if got != want:
            diff = {k: (want[k], got[k]) for k in want if want[k] != got[k]}
            self.mismatch(f"attributes of {self.tree.path(node) if node.names else node} (model, real): {diff}")

    def read_late(self, node, st):
        """What the kernel reads ahead may come after the read that began it."""
        return node.read_at and st.st_atime_ns >= node.read_at - SLACK

    def check_times(self, node, what, st, start):
        """What must have changed is new; takes over what may have."""
        if node.times is None:
            self.learn(node, st)
        seen = [st.st_atime_ns, st.st_mtime_ns, st.st_ctime_ns]
        for i, letter in enumerate("amc"):
            if letter in what and seen[i] < start - SLACK:
                self.mismatch(f"{letter}time of {self.tree.path(node)} did not change: {seen[i]} < {start}")
            if letter in what.lower():
                node.times[i] = seen[i]
        if "A" in what:
            node.read_at = start

    def check_changed(self, start):
        for node, what in self.tree.changed.items():
            st = self.stat(node)
            if st is None:
                continue
            self.check_times(node, what, st, start)
            self.check_attributes(node, st)

    def check_contents(self, node):
        p = self.real(self.tree.path(node))
        if node.kind == "f":
            self.same_bytes(node, open_read(p))
            self.relearn_atime(node)
        elif node.kind == "l":
            self.same("target", node.target, os.readlink(p))
        elif node.kind == "d":
            self.same("entries", sorted(node.entries), sorted(os.listdir(p)))
        names = {os.fsencode(n) for n in os.listxattr(p, follow_symlinks=False)}
        got = {
            n: os.getxattr(p, n, follow_symlinks=False)
            for n in names
            if n.startswith((b"user.", b"trusted."))
        }
        self.same(f"xattrs of {p}", node.xattrs, got)

    def same(self, what, model, real):
        if model != real:
            self.mismatch(f"{what}: model {model!r}, real {real!r}")

    def same_bytes(self, node, got):
        if got == node.data:
            return
        at = next((i for i, (x, y) in enumerate(zip(node.data, got)) if x != y), None)
        self.mismatch(
            f"contents of {self.tree.path(node) if node.names else 'an open file'}: "
            f"{len(node.data)} bytes, real {len(got)}, first other one at {at}"
        )

    def relearn_atime(self, node):
        """A read may change it."""
        st = self.stat(node)
        node.read_at = node.read_at or time.time_ns()
        if st and node.times:
            node.times[0] = st.st_atime_ns

    def check_all(self):
        for node in self.tree.nodes():
            self.check_attributes(node, self.stat(node))
            self.check_contents(node)
        for h in self.handles:
            self.check_attributes(h.node, os.fstat(h.fd))
            if h.reads:
                self.same_bytes(h.node, os.pread(h.fd, FILE_MAX + 1, 0))
                self.relearn_atime(h.node)

    def do(self, what, model, real):
        """One call on both sides; the result of the real one."""
        self.history.append(f"{self.steps}: {what}")
        self.tree.begin()
        start = time.time_ns()
        wanted = attempt(model)
        got = attempt(real)
        if not isinstance(wanted, str):
            wanted = None if isinstance(wanted, Node) else wanted
            got = got if isinstance(got, str) or not isinstance(wanted, (int, bytes)) else got
        if isinstance(wanted, (str, int, bytes)) or isinstance(got, str):
            self.same(what, wanted, got)
        self.check_changed(start)
        return got

    def step(self):
        self.steps += 1
        op = self.rng.choices(self.ops, self.weights)[0]
        if op in self.special:
            self.history.append(f"{self.steps}: {op}")
            self.special[op][1](self)
            self.check_all()
        elif getattr(self, f"op_{op}")() is False:
            return
        self.counts[op] += 1
        if self.steps % 250 == 0:
            self.check_all()

    # ---- choosing

    def total(self):
        return sum(len(n.data) for n in self.tree.nodes() if n.kind == "f")

    def a_dir(self):
        return self.rng.choice([n for n in self.tree.nodes() if n.kind == "d"])

    def a_path(self, exists=0.7, kinds="dflps"):
        """Of something that exists, or of a name that may."""
        if self.rng.random() < exists:
            nodes = [n for n in self.tree.nodes() if n.kind in kinds and n is not self.tree.root]
            if nodes:
                node = self.rng.choice(nodes)
                parent, name = self.rng.choice(node.names)
                return self.join(parent, name)
        name = self.rng.choice(self.names) if self.rng.random() < 0.99 else b"x" * 256
        if self.rng.random() < 0.03:  # below something that is no directory
            nodes = [n for n in self.tree.nodes() if n.kind != "d"]
            if nodes:
                return self.join(self.rng.choice(nodes), name)
        return self.join(self.a_dir(), name)

    def join(self, parent, name):
        return name if parent is self.tree.root else self.tree.path(parent) + b"/" + name

    def a_mode(self):
        return self.rng.choice((0o644, 0o600, 0o755, 0o000, 0o777, 0o2755, 0o4755, 0o1755, 0o2644))

    def a_handle(self, writes=False):
        hs = [h for h in self.handles if h.writes or not writes]
        return self.rng.choice(hs) if hs else None

    def a_length(self):
        top = self.rng.choice((10, 5000, 5000, 70000, 300000))
        return self.rng.randrange(1, top)

    def an_offset(self, node):
        size = len(node.data)
        off = self.rng.choice((0, size, self.rng.randrange(size + 1), size + self.rng.randrange(200000)))
        if self.rng.random() < 0.3:
            off &= ~4095
        return min(off, FILE_MAX // 2)

    def full(self):
        return len(self.tree.nodes()) > NODES_MAX

    # ---- names

    def op_open(self):
        if len(self.handles) >= HANDLES_MAX:
            return self.op_close()
        flags = self.rng.choice((os.O_RDONLY, os.O_WRONLY, os.O_RDWR, os.O_RDWR))
        if not self.full() and self.rng.random() < 0.6:
            flags |= os.O_CREAT
        for f, chance in ((os.O_EXCL, 0.3), (os.O_TRUNC, 0.15), (os.O_APPEND, 0.2), (os.O_NOFOLLOW, 0.1)):
            if self.rng.random() < chance and (f != os.O_EXCL or flags & os.O_CREAT):
                if f != os.O_TRUNC or flags & os.O_ACCMODE:
                    flags |= f
        path, mode = self.a_path(0.5, "ffffdlps"), self.a_mode()
        node = []

        def model():
            node.append(self.tree.open(path, flags, mode))

        fd = self.do(
            f"open({path!r}, {flags:#o}, {mode:#o})",
            model,
            lambda: os.open(self.real(path), flags | os.O_NONBLOCK, mode),
        )
        if isinstance(fd, str):
            return None
        if node[0] is None:
            os.close(fd)
            return None
        node[0].opens += 1
        self.handles.append(Handle(node[0], fd, flags))
        return None

    def close(self, h):
        self.handles.remove(h)
        h.node.opens -= 1
        os.close(h.fd)

    def op_close(self):
        h = self.a_handle()
        if h is None:
            return False
        self.history.append(f"{self.steps}: close({self.handles.index(h)})")
        self.close(h)
        if h.node.names:
            self.check_attributes(h.node, self.stat(h.node))
        return None

    def op_mkdir(self):
        if self.full():
            return False
        path, mode = self.a_path(0.2), self.a_mode() & 0o3777
        return self.do(
            f"mkdir({path!r}, {mode:#o})",
            lambda: self.tree.make(path, "d", mode),
            lambda: os.mkdir(self.real(path), mode) or (mode & 0o7000 and self.mode_of_dir(path, mode)),
        )

    def mode_of_dir(self, path, mode):
        """mkdir(2) may leave set-id and sticky bits out."""
        want = mode | self.tree.get(path).mode & stat.S_ISGID
        if stat.S_IMODE(os.lstat(self.real(path)).st_mode) != want:
            os.chmod(self.real(path), want)

    def op_symlink(self):
        if self.full():
            return False
        path = self.a_path(0.1)
        target = self.rng.choice(self.names + [b"a/b", b".", b"x" * 300, b"t/" * 2000])
        return self.do(
            f"symlink({target[:40]!r}, {path!r})",
            lambda: self.tree.make(path, "l", 0o777, target),
            lambda: os.symlink(target, self.real(path)),
        )

    def op_mknod(self):
        if self.full():
            return False
        path, kind = self.a_path(0.1), self.rng.choice("psf")
        return self.do(
            f"mknod({path!r}, {kind})",
            lambda: self.tree.make(path, kind, 0o640),
            lambda: os.mknod(self.real(path), TYPES[kind] | 0o640),
        )

    def op_unlink(self):
        path = self.a_path(0.9)
        return self.do(
            f"unlink({path!r})",
            lambda: self.tree.unlink(path),
            lambda: os.unlink(self.real(path)),
        )

    def op_rmdir(self):
        path = self.a_path(0.9, "dddf")
        return self.do(
            f"rmdir({path!r})", lambda: self.tree.rmdir(path), lambda: os.rmdir(self.real(path))
        )

    def op_link(self):
        old, new = self.a_path(0.95), self.a_path(0.1)
        return self.do(
            f"link({old!r}, {new!r})",
            lambda: self.tree.link(old, new),
            lambda: os.link(self.real(old), self.real(new), follow_symlinks=False),
        )

    def op_tmpfile(self):
        if len(self.handles) >= HANDLES_MAX or self.full():
            return False
        d, mode = self.a_dir(), self.a_mode()
        path = self.tree.path(d)
        self.history.append(f"{self.steps}: tmpfile({path!r}, {mode:#o})")
        node = self.tree.tmpfile(d, mode)
        fd = os.open(self.real(path), os.O_TMPFILE | os.O_RDWR, mode)
        self.handles.append(Handle(node, fd, os.O_RDWR))
        self.learn(node)
        return self.check_attributes(node, os.fstat(fd))

    def op_link_handle(self):
        h, new = self.a_handle(), self.a_path(0.1)
        if h is None or not h.node.linkable and self.rng.random() < 0.8:
            return False
        return self.do(
            f"link({self.handles.index(h)}, {new!r})",
            lambda: self.tree.link_handle(h.node, new),
            lambda: checked(libc.linkat(-100, b"/proc/self/fd/%d" % h.fd, -100, self.real(new), 0x400)),
        )

    def op_rename(self):
        old, new = self.a_path(0.95), self.a_path(0.5)
        flags = self.rng.choice((0, 0, 0, NOREPLACE, EXCHANGE))
        return self.do(
            f"rename({old!r}, {new!r}, {flags})",
            lambda: self.tree.rename(old, new, flags),
            lambda: checked(libc.renameat2(-100, self.real(old), -100, self.real(new), flags)),
        )

    def op_readlink(self):
        path = self.a_path(0.9, "l")

        def model():
            node = self.tree.get(path)
            return node.target if node.kind == "l" else fail(errno.EINVAL)

        return self.do(f"readlink({path!r})", model, lambda: os.readlink(self.real(path)))

    def op_readdir(self):
        node = self.a_dir()
        path = self.tree.path(node)
        self.history.append(f"{self.steps}: readdir({path!r})")
        with os.scandir(self.real(path)) as it:
            got = {e.name: (e.inode(), stat.S_IFMT(e.stat(follow_symlinks=False).st_mode)) for e in it}
        want = {k: (n.ino, TYPES[n.kind]) for k, n in node.entries.items()}
        self.same(f"entries of {path!r}", want, got)

    # ---- attributes

    def op_stat(self):
        path, follow = self.a_path(0.8), self.rng.random() < 0.5
        return self.do(
            f"stat({path!r}, {follow})",
            lambda: self.tree.get(path, follow).ino,
            lambda: os.stat(self.real(path), follow_symlinks=follow).st_ino,
        )

    def op_chmod(self):
        path, mode = self.a_path(0.95, "dffps"), self.a_mode()
        return self.do(
            f"chmod({path!r}, {mode:#o})",
            lambda: self.tree.chmod(path, mode),
            lambda: os.chmod(self.real(path), mode),
        )

    def op_chown(self):
        path, uid, gid = self.a_path(0.95), self.rng.choice((0, 1000, 70000)), self.rng.choice((0, 1000))
        return self.do(
            f"chown({path!r}, {uid}, {gid})",
            lambda: self.tree.chown(path, uid, gid),
            lambda: os.lchown(self.real(path), uid, gid),
        )

    def op_utimens(self):
        path = self.a_path(0.95)
        ns = tuple(self.rng.randrange(4_000_000_000 * 10**9) for _ in "am")
        return self.do(
            f"utimens({path!r}, {ns})",
            lambda: self.tree.utimens(path, *ns),
            lambda: os.utime(self.real(path), ns=ns, follow_symlinks=False),
        )

    def a_xattr(self):
        return self.rng.choice((b"user.a", b"user.b", b"trusted.c"))

    def op_setxattr(self):
        path, name = self.a_path(0.95), self.a_xattr()
        value = self.rng.randbytes(self.rng.choice((0, 3, 300)))
        flags = self.rng.choice((0, 0, os.XATTR_CREATE, os.XATTR_REPLACE))
        return self.do(
            f"setxattr({path!r}, {name!r}, {len(value)} bytes, {flags})",
            lambda: self.tree.setxattr(path, name, value, flags),
            lambda: os.setxattr(self.real(path), name, value, flags, follow_symlinks=False),
        )

    def op_getxattr(self):
        path, name = self.a_path(0.95), self.a_xattr()
        return self.do(
            f"getxattr({path!r}, {name!r})",
            lambda: self.tree.getxattr(path, name),
            lambda: os.getxattr(self.real(path), name, follow_symlinks=False),
        )

    def op_removexattr(self):
        path, name = self.a_path(0.95), self.a_xattr()
        return self.do(
            f"removexattr({path!r}, {name!r})",
            lambda: self.tree.removexattr(path, name),
            lambda: os.removexattr(self.real(path), name, follow_symlinks=False),
        )

    def op_statfs(self):
        st = os.statvfs(self.root)
        if st.f_namemax != 255 or st.f_bfree > st.f_blocks or st.f_bavail > st.f_bfree:
            self.mismatch(f"statfs: {st}")

    # ---- contents

    def op_write(self):
        h = self.a_handle()
        if h is None or self.total() > TOTAL_MAX:
            return False
        off, data = self.an_offset(h.node), self.rng.randbytes(self.a_length())
        if self.rng.random() < 0.2:
            data = bytes(len(data))
        at = len(h.node.data) if h.flags & os.O_APPEND else off
        if at + len(data) > FILE_MAX:
            return False
        return self.do(
            f"pwrite({self.handles.index(h)}, {len(data)} bytes, {off})",
            lambda: self.tree.write(h.node, at, data) if h.writes else fail(errno.EBADF),
            lambda: os.pwrite(h.fd, data, off),
        )

    def op_read(self):
        h = self.a_handle()
        if h is None:
            return False
        off, n = self.an_offset(h.node), self.a_length()
        self.do(
            f"pread({self.handles.index(h)}, {n}, {off})",
            lambda: bytes(h.node.data[off : off + n]) if h.reads else fail(errno.EBADF),
            lambda: os.pread(h.fd, n, off),
        )
        self.relearn_atime(h.node)
        return None

    def op_read_file(self):
        nodes = [n for n in self.tree.nodes() if n.kind == "f"]
        if not nodes:
            return False
        node = self.rng.choice(nodes)
        self.history.append(f"{self.steps}: read {self.tree.path(node)!r}")
        return self.check_contents(node)

    def op_truncate(self):
        path, size = self.a_path(0.95, "fffdlp"), self.rng.choice((0, self.a_length(), self.a_length()))
        if self.total() > TOTAL_MAX:
            size = 0
        return self.do(
            f"truncate({path!r}, {size})",
            lambda: self.tree.truncate(path, size),
            lambda: os.truncate(self.real(path), size),
        )

    def op_ftruncate(self):
        h = self.a_handle()
        if h is None or self.total() > TOTAL_MAX:
            return False
        size = self.rng.choice((0, self.an_offset(h.node), self.a_length()))
        return self.do(
            f"ftruncate({self.handles.index(h)}, {size})",
            lambda: self.tree.resize(h.node, size) if h.writes else fail(errno.EINVAL),
            lambda: os.ftruncate(h.fd, size),
        )

    def op_fallocate(self):
        h = self.a_handle()
        if h is None or self.total() > TOTAL_MAX:
            return False
        mode = self.rng.choice((0, KEEP_SIZE, PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE, ZERO_RANGE | KEEP_SIZE))
        off, n = self.an_offset(h.node), self.a_length()
        return self.do(
            f"fallocate({self.handles.index(h)}, {mode}, {off}, {n})",
            lambda: self.tree.fallocate(h.node, mode, off, n) if h.writes else fail(errno.EBADF),
            lambda: checked(libc.fallocate(h.fd, mode, off, n)),
        )

    def op_copy(self):
        a, b = self.a_handle(), self.a_handle()
        if a is None or self.total() > TOTAL_MAX:
            return False
        off, to, n = self.an_offset(a.node), self.an_offset(b.node), self.a_length()
        data = bytes(a.node.data[off : off + n])
        what = f"copy_file_range({self.handles.index(a)}, {off}, {self.handles.index(b)}, {to}, {n})"
        self.history.append(f"{self.steps}: {what}")
        self.tree.begin()
        start = time.time_ns()
        got = attempt(lambda: os.copy_file_range(a.fd, b.fd, n, off, to))
        if not a.reads or not b.writes or b.flags & os.O_APPEND:
            return self.same(what, "EBADF", got)
        if a.node is b.node and to + len(data) > off and to < off + len(data):
            return self.same(what, "EINVAL", got)
        if got == 0 or isinstance(got, str):
            return self.same(what, len(data), got)
        if got > len(data):  # short counts are allowed
            self.mismatch(f"{what}: {got} of {len(data)} bytes")
        self.tree.touch(a.node, "A")
        self.tree.write(b.node, to, data[:got])
        return self.check_changed(start)

    def op_mmap(self):
        hs = [h for h in self.handles if h.reads and h.writes and h.node.data]
        if not hs:
            return False
        h = self.rng.choice(hs)
        data = self.rng.randbytes(self.rng.randrange(1, 9000))[: len(h.node.data)]
        at = self.rng.randrange(len(h.node.data) - len(data) + 1)

        def real():
            with mmap.mmap(h.fd, len(h.node.data)) as m:
                self.same_bytes_at(h.node, at, data, m)
                m.flush()

        self.do(
            f"mmap({self.handles.index(h)}), store {len(data)} bytes at {at}",
            lambda: self.tree.touch(h.node, "A") or self.tree.write(h.node, at, data) and None,
            real,
        )
        self.relearn_atime(h.node)
        return None

    def same_bytes_at(self, node, at, data, m):
        """Stores, and sees that nothing else lies around it."""
        m[at : at + len(data)] = data
        if m[:] != node.data:
            self.mismatch("a mapping shows other bytes than a read")

    def op_seek(self):
        h = self.a_handle()
        if h is None:
            return False
        size = len(h.node.data)
        off = self.rng.randrange(size + 2)
        self.history.append(f"{self.steps}: seek({self.handles.index(h)}, {off})")
        data = attempt(lambda: os.lseek(h.fd, off, os.SEEK_DATA))
        hole = attempt(lambda: os.lseek(h.fd, off, os.SEEK_HOLE))
        if off >= size:
            self.same("SEEK_DATA", "ENXIO", data)
            return self.same("SEEK_HOLE", "ENXIO", hole)
        end = size if data == "ENXIO" else data
        if isinstance(end, str) or not off <= end <= size or any(h.node.data[off:end]):
            self.mismatch(f"SEEK_DATA skips data: {data}")
        if isinstance(hole, str) or not off <= hole <= size:
            self.mismatch(f"SEEK_HOLE: {hole} of {size}")
        return None

    def op_fsync(self):
        h = self.a_handle()
        if h is None:
            return False
        self.history.append(f"{self.steps}: fsync({self.handles.index(h)})")
        self.rng.choice((os.fsync, os.fdatasync))(h.fd)
        st = os.fstat(h.fd)
        return self.check_attributes(h.node, st)

    def op_fsyncdir(self):
        fd = os.open(self.real(self.tree.path(self.a_dir())), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


WEIGHTS = {
    "op_open": 60, "op_close": 35, "op_mkdir": 15, "op_symlink": 8, "op_mknod": 5,
    "op_unlink": 16, "op_rmdir": 8, "op_link": 10, "op_rename": 35, "op_readlink": 4,
    "op_readdir": 8, "op_stat": 25, "op_chmod": 12, "op_chown": 10, "op_utimens": 12,
    "op_setxattr": 14, "op_getxattr": 8, "op_removexattr": 6, "op_statfs": 2, "op_write": 80,
    "op_read": 40, "op_read_file": 20, "op_truncate": 12, "op_ftruncate": 14, "op_fallocate": 20,
    "op_copy": 16, "op_tmpfile": 6, "op_link_handle": 12, "op_mmap": 12, "op_seek": 10, "op_fsync": 12, "op_fsyncdir": 3,
}  # fmt: skip


def open_read(path):
    with open(path, "rb") as f:
        return f.read()


def main(argv):
    seed = int(argv[2]) if len(argv) > 2 else random.randrange(1 << 32)
    steps = int(argv[3]) if len(argv) > 3 else 20000
    os.umask(0)
    walk = Walk(argv[1], seed)
    for _ in range(steps):
        walk.step()
    walk.check_all()
    print(f"seed {seed}: {steps} steps", dict(walk.counts))


if __name__ == "__main__":
    main(sys.argv)
