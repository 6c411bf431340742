# SPDX-License-Identifier: Apache-2.0
"""Random operations on the bytes of a few files, beside a model of them in
memory: through many open handles, mappings that outlive them, O_DIRECT,
O_APPEND, holes, copies. Each read is compared; a difference tells the last
operations on that file.

As a program: fsx.py DIRECTORY SEED SECONDS. After that it closes all files,
compares them, says "phase", and for each line on its standard input it goes
on for as long again.
"""
import collections
import ctypes
import errno
import fcntl
import mmap
import os
import random
import sys
import time

KEEP, PUNCH, ZERO = 1, 2, 16  # FALLOC_FL_*
PAGE = 4096
MAX = 3 << 20
libc = ctypes.CDLL(None, use_errno=True)
libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]


def fallocate(fd, mode, off, n):
    if libc.fallocate(fd, mode, off, n) < 0:
        e = ctypes.get_errno()
        raise OSError(e, os.strerror(e))


class Wrong(Exception):
    pass


class File:
    """A file and what it must hold."""

    def __init__(self, path, rng):
        self.path, self.rng = path, rng
        self.data = bytearray()
        self.handles, self.maps = [], []
        self.log = collections.deque(maxlen=40)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))

    def note(self, *what):
        self.log.append(" ".join(map(str, what)))

    def wrong(self, what, off=None, got=b"", want=b""):
        text = f"{self.path}: {what}"
        if off is not None:
            i = next((i for i, (a, b) in enumerate(zip(got, want)) if a != b), min(len(got), len(want)))
            text += (
                f" at {off}+{i} of {len(want)} (size {len(self.data)}):"
                f" got {bytes(got[i:i + 16]).hex()} ({len(got)}), want {bytes(want[i:i + 16]).hex()}"
            )
        raise Wrong(text + "\n  " + "\n  ".join(self.log))

    # ---- handles

    def open(self):
        rng = self.rng
        flags = rng.choice([os.O_RDONLY, os.O_RDWR, os.O_RDWR, os.O_WRONLY])
        if flags != os.O_RDONLY and rng.random() < 0.2:
            flags |= os.O_APPEND
        if rng.random() < 0.15:
            flags |= os.O_DIRECT
        if flags & os.O_ACCMODE != os.O_RDONLY and not self.maps and rng.random() < 0.05:
            flags |= os.O_TRUNC
            self.data.clear()
        if flags & os.O_ACCMODE != os.O_RDONLY and rng.random() < 0.1:
            flags |= os.O_SYNC
        self.note("open", oct(flags))
        fd = os.open(self.path, flags)
        self.handles.append((fd, flags))
        return fd, flags

    def handle(self, write):
        bad = os.O_RDONLY if write else os.O_WRONLY
        able = [h for h in self.handles if h[1] & os.O_ACCMODE != bad]
        if able and self.rng.random() < 0.9:
            return self.rng.choice(able)
        while True:
            h = self.open()
            if h[1] & os.O_ACCMODE != bad:
                return h

    def close_one(self):
        if self.handles:
            fd, _ = self.handles.pop(self.rng.randrange(len(self.handles)))
            self.note("close")
            os.close(fd)

    def unmap_one(self):
        if self.maps:
            self.note("munmap")
            self.maps.pop(self.rng.randrange(len(self.maps)))[0].close()

    def close_all(self):
        while self.handles:
            self.close_one()
        while self.maps:
            self.unmap_one()

    # ---- operations

    def span(self, limit):
        off = self.rng.randrange(limit) if limit else 0
        n = min(self.rng.choice([1, 100, 5000, 65536, 300000]), max(limit - off, 1))
        return off, self.rng.randrange(1, n + 1)

    def bytes(self, n):
        return self.rng.randbytes(n)

    def put(self, off, data):
        if off > len(self.data):
            self.data.extend(bytes(off - len(self.data)))
        self.data[off : off + len(data)] = data

    def buffer(self, n):
        m = mmap.mmap(-1, n)
        return m, memoryview(m)

    def read(self):
        fd, flags = self.handle(False)
        off, n = self.span(len(self.data) + 1)
        if flags & os.O_DIRECT:
            off, n = off // PAGE * PAGE, -(-n // PAGE) * PAGE
            m, v = self.buffer(n)
            got = bytes(v[: os.preadv(fd, [v], off)])
            v.release()
            m.close()
        else:
            got = os.pread(fd, n, off)
        want = self.data[off : off + n]
        self.note("read", off, n, oct(flags))
        if got != want:
            self.wrong("read", off, got, want)

    def write(self):
        fd, flags = self.handle(True)
        off, n = self.span(MAX)
        if flags & os.O_APPEND:
            off = len(self.data)
            if off + n > MAX:
                return
        elif self.rng.random() < 0.5:
            off = self.rng.randrange(len(self.data) + 1)
        if flags & os.O_DIRECT:
            if flags & os.O_APPEND:
                return
            off, n = off // PAGE * PAGE, -(-n // PAGE) * PAGE
            m, v = self.buffer(n)
            v[:] = data = self.bytes(n)
            self.note("write", off, n, oct(flags))
            done = os.pwritev(fd, [v], off)
            v.release()
            m.close()
        else:
            data = self.bytes(n)
            self.note("write", off, n, oct(flags))
            done = os.write(fd, data) if flags & os.O_APPEND else os.pwrite(fd, data, off)
        if done != n:
            self.wrong(f"write of {n} wrote {done}")
        self.put(off, data)

    def truncate(self):
        n = self.rng.choice([0, self.rng.randrange(MAX), self.rng.randrange(len(self.data) + 1)])
        if self.maps:  # a mapping beyond the end would be SIGBUS
            n = max(n, max(m[2] for m in self.maps))
        self.note("truncate", n)
        if self.rng.random() < 0.5:
            os.truncate(self.path, n)
        else:
            os.ftruncate(self.handle(True)[0], n)
        del self.data[n:]
        self.data.extend(bytes(n - len(self.data)))

    def allocate(self):
        fd, _ = self.handle(True)
        mode = self.rng.choice([0, KEEP, PUNCH | KEEP, ZERO, ZERO | KEEP])
        off, n = self.span(MAX)
        self.note("fallocate", mode, off, n)
        fallocate(fd, mode, off, n)
        end = off + n if mode & KEEP else max(off + n, len(self.data))
        if not mode & KEEP and end > len(self.data):
            self.data.extend(bytes(end - len(self.data)))
        if mode & (PUNCH | ZERO):
            end = min(off + n, len(self.data))
            if end > off:
                self.data[off:end] = bytes(end - off)

    def map(self):
        """Kept open, also after the descriptor is closed."""
        fd, _ = self.handle(True)
        if not self.data or len(self.maps) >= 3:
            return
        fl = fcntl.fcntl(fd, fcntl.F_GETFL)
        if fl & os.O_ACCMODE != os.O_RDWR:
            return
        n = len(self.data)
        self.note("mmap", n)
        self.maps.append((mmap.mmap(fd, n), fd, n))

    def store(self):
        if not self.maps:
            self.map()
        if not self.maps:
            return
        m, _, size = self.rng.choice(self.maps)
        size = min(size, len(self.data))
        off, n = self.span(size)
        n = min(n, size - off)
        if n <= 0:
            return
        data = self.bytes(n)
        self.note("store", off, n)
        m[off : off + n] = data
        self.put(off, data)
        if self.rng.random() < 0.3:
            self.note("msync")
            m.flush()

    def load(self):
        if not self.maps:
            return
        m, _, size = self.rng.choice(self.maps)
        size = min(size, len(self.data))
        off, n = self.span(size)
        got, want = m[off : min(off + n, size)], self.data[off : min(off + n, size)]
        self.note("load", off, n)
        if got != want:
            self.wrong("load", off, got, want)

    def sync(self):
        fd, _ = self.handle(True)
        self.note("fsync")
        (os.fsync if self.rng.random() < 0.5 else os.fdatasync)(fd)

    def size(self):
        st = os.stat(self.path)
        self.note("stat")
        if st.st_size != len(self.data):
            self.wrong(f"size {st.st_size}, want {len(self.data)}")

    def seek(self):
        """What lies in a hole must be zeros. FUSE asks the daemon, which has
        not got what a mapping holds."""
        fd, _ = self.handle(False)
        for m in self.maps:
            m[0].flush()
        if not self.data:
            return
        off = self.rng.randrange(len(self.data))
        self.note("seek", off)
        try:
            data = os.lseek(fd, off, os.SEEK_DATA)
        except OSError as e:
            if e.errno != errno.ENXIO:
                raise
            data = len(self.data)
        if any(self.data[off:data]):
            self.wrong(f"a hole at {off} to {data}")

    def whole(self):
        with open(self.path, "rb") as f:
            got = f.read()
        self.note("whole")
        if got != self.data:
            self.wrong("whole file", 0, got, self.data)


class Fsx:
    def __init__(self, top, seed, files=3):
        self.rng = random.Random(seed)
        self.seed = seed
        self.files = [File(os.path.join(top, f"f{seed}-{i}"), self.rng) for i in range(files)]
        self.ops = {
            File.read: 20, File.write: 20, File.truncate: 3, File.allocate: 4, File.map: 3,
            File.store: 8, File.load: 8, File.sync: 2, File.size: 3, File.seek: 2,
            File.whole: 1, File.close_one: 6, File.unmap_one: 2, File.close_all: 2,
        }
        self.steps = 0

    def copy(self):
        a, b = self.rng.sample(self.files, 2)
        fa, fb = a.handle(False), b.handle(True)
        if not a.data or fb[1] & os.O_APPEND or (fa[1] | fb[1]) & os.O_DIRECT:
            return
        off, n = a.span(len(a.data))
        to = self.rng.randrange(MAX - n) if n < MAX else 0
        a.note("copied from", off, n)
        done = os.copy_file_range(fa[0], fb[0], n, off, to)
        b.note("copied to", to, n, "of", a.path, off, "done", done)
        b.put(to, a.data[off : off + done])

    def step(self):
        self.steps += 1
        if self.rng.random() < 0.04:
            return self.copy()
        f = self.rng.choice(self.files)
        while len(f.handles) > 8:
            f.close_one()
        op = self.rng.choices(list(self.ops), list(self.ops.values()))[0]
        op(f)

    def close(self):
        for f in self.files:
            f.close_all()

    def check(self):
        for f in self.files:
            f.whole()
            f.size()


def phase(fsx, seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        fsx.step()
    fsx.close()
    fsx.check()


def main():
    top, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
    fsx = Fsx(top, seed)
    try:
        while True:
            phase(fsx, seconds)
            print("phase", flush=True)
            if not sys.stdin.readline():
                break
            fsx.check()
    except Wrong as e:
        sys.exit(f"seed {seed}, step {fsx.steps}: {e}")
    except OSError as e:
        logs = "\n".join(f"{f.path}\n  " + "\n  ".join(f.log) for f in fsx.files)
        sys.exit(f"seed {seed}, step {fsx.steps}: {e}\n{logs}")
    print(f"seed {seed}: {fsx.steps} steps")


if __name__ == "__main__":
    main()
