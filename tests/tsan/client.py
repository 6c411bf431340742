# SPDX-License-Identifier: Apache-2.0
"""One client of test_clients.py: client.py own|shared DIRECTORY SEED SECONDS.

"own": the walk of walk.py, compared with its model after each step; nobody
else changes anything there. "shared": the same few names in one directory,
where every call may come too late. Prints how often each thing was done.
"""
import ctypes
import errno
import fcntl
import json
import os
import pathlib
import random
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from walk import Walk, libc  # noqa: E402

# What another client may have done before.
TOO_LATE = {
    errno.ENOENT, errno.EEXIST, errno.ENOTEMPTY, errno.EISDIR, errno.ENOTDIR, errno.ELOOP,
    errno.EINVAL, errno.EPERM, errno.ENODATA, errno.EAGAIN, errno.ENXIO, errno.EMLINK,
}  # fmt: skip


def own(directory, seed, seconds):
    walk = Walk(directory, seed)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        walk.step()
    walk.check_all()
    return dict(walk.counts)


class Shared:
    def __init__(self, directory, seed):
        self.rng = random.Random(seed)
        self.dir = directory
        self.ops = [m for m in dir(self) if m.startswith("do_")]

    def path(self):
        names = [f"{self.dir}/{c}" for c in "abcdef"]
        return self.rng.choice(names + [f"{n}/{c}" for n in names[:3] for c in "xyz"])

    def opened(self, flags, call):
        fd = os.open(self.path(), flags | os.O_NONBLOCK, 0o600)
        try:
            call(fd)
        finally:
            os.close(fd)

    def data(self):
        return self.rng.randbytes(self.rng.choice((1, 4000, 60000, 200000)))

    def offset(self):
        return self.rng.randrange(300000)

    def do_create(self):
        self.opened(os.O_CREAT | os.O_RDWR, lambda fd: os.write(fd, self.data()))

    def do_write(self):
        self.opened(os.O_WRONLY, lambda fd: os.pwrite(fd, self.data(), self.offset()))

    def do_append(self):
        self.opened(os.O_WRONLY | os.O_APPEND, lambda fd: os.write(fd, self.data()[:100]))

    def do_read(self):
        self.opened(os.O_RDONLY, lambda fd: os.pread(fd, 300000, self.offset() // 2))

    def do_fsync(self):
        self.opened(os.O_RDWR, os.fsync)

    def do_truncate(self):
        os.truncate(self.path(), self.offset())

    def do_open_truncated(self):
        self.opened(os.O_RDWR | os.O_TRUNC, lambda fd: os.write(fd, b"new"))

    def do_fallocate(self):
        mode = self.rng.choice((0, 3, 16))
        self.opened(os.O_RDWR, lambda fd: libc.fallocate(fd, mode, self.offset(), 9000))

    def do_copy(self):
        def copy(fd):
            self.opened(os.O_RDONLY, lambda src: os.copy_file_range(src, fd, 70000, 0, 300000))

        self.opened(os.O_RDWR, copy)

    def do_lock(self):
        def lock(fd):
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)

        self.opened(os.O_RDWR, lock)

    def do_seek(self):
        self.opened(os.O_RDONLY, lambda fd: os.lseek(fd, 0, os.SEEK_HOLE))

    def do_link(self):
        os.link(self.path(), self.path(), follow_symlinks=False)

    def do_symlink(self):
        os.symlink("a", self.path())

    def do_unlink(self):
        os.unlink(self.path())

    def do_mkdir(self):
        os.mkdir(self.path())

    def do_rmdir(self):
        os.rmdir(self.path())

    def do_rename(self):
        os.rename(self.path(), self.path())

    def do_exchange(self):
        paths = os.fsencode(self.path()), os.fsencode(self.path())
        if libc.renameat2(-100, paths[0], -100, paths[1], 2) < 0:
            raise OSError(ctypes.get_errno(), "exchange")

    def do_list(self):
        with os.scandir(self.dir) as it:
            for e in it:
                e.stat(follow_symlinks=False)

    def do_stat(self):
        os.stat(self.path())

    def do_chmod(self):
        os.chmod(self.path(), self.rng.choice((0o600, 0o644, 0o755)))

    def do_chown(self):
        os.chown(self.path(), self.rng.randrange(3), 0, follow_symlinks=False)

    def do_utimens(self):
        os.utime(self.path(), (1, self.rng.randrange(1 << 31)))

    def do_setxattr(self):
        os.setxattr(self.path(), "user.x", self.data()[:200])

    def do_getxattr(self):
        os.getxattr(self.path(), "user.mersey.state")

    def do_statfs(self):
        os.statvfs(self.dir)

    def run(self, seconds):
        counts = dict.fromkeys(self.ops, 0)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            op = self.rng.choice(self.ops)
            try:
                getattr(self, op)()
            except OSError as e:
                if e.errno not in TOO_LATE:
                    raise
            else:
                counts[op] += 1
        return counts


def main(kind, directory, seed, seconds):
    os.umask(0)
    if kind == "own":
        counts = own(directory, int(seed), float(seconds))
    else:
        counts = Shared(directory, int(seed)).run(float(seconds))
    print(json.dumps(counts))


if __name__ == "__main__":
    main(*sys.argv[1:])
