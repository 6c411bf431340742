# SPDX-License-Identifier: Apache-2.0
"""A client that a power cut hits: client.py DIRECTORY RECORD NUMBER.

Makes, writes, renames, links and removes files below DIRECTORY until SIGTERM,
with every way there is to ask for durability, and pauses after some answers,
since the next sync would hide one that was forgotten. RECORD is what
acks.replay() reads.
"""
import json
import mmap
import os
import random
import signal
import sys
import time

from acks import BLOCK, Model, content, fit

# Around the 0.5 s of the flush and the 5 s of ext4's journal.
PAUSES = (0, 0, 0, 0.02, 0.3, 0.8, 1.5, 6)


class Stop(Exception):
    pass


class Client:
    def __init__(self, root, record, number):
        self.root, self.number = root, number
        self.record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.rng = random.Random(number)
        self.model = Model()
        self.files = 0
        self.generation = 0
        self.names = 0
        self.held = None  # a descriptor that stays open for some rounds

    # ---- the record

    def do(self, call, **op):
        """Says what it will do, does it, says that it was answered."""
        os.write(self.record, json.dumps(op).encode() + b"\n")
        self.model.will(op)
        result = call()
        os.write(self.record, b'"ok"\n')
        self.model.did()
        return result

    def pause(self):
        time.sleep(self.rng.choice(PAUSES))

    # ---- pieces

    def path(self, name):
        return os.path.join(self.root, name)

    def some(self, kind):
        """A path of that kind, or None."""
        names = [p for p, f in self.model.now().items() if (f == "dir") == (kind == "dir")]
        return self.rng.choice(names) if names else None

    def new_name(self):
        self.names += 1
        d = self.some("dir") if self.rng.random() < 0.5 else None
        return os.path.join(d or "", f"n{self.names}")

    def version(self, fid, size=None, blocks=None):
        """The next version of a file: all blocks new, or only some."""
        old_size, old = self.model.files[fid][-1]
        size = old_size if size is None else size
        self.generation += 1
        new = fit(old, size)
        for i in range(len(new)) if blocks is None else blocks:
            new[i] = self.generation
        return [size, new]

    def some_size(self):
        return self.rng.choice((0, 100, BLOCK, 5000, 30000, 30000, 150000))

    def sync_dir(self, path):
        fd = os.open(self.path(path), os.O_RDONLY | os.O_DIRECTORY)
        self.do(lambda: os.fsync(fd), op="sync", sync="dir")
        os.close(fd)

    def sync_file(self, fd, fid):
        how = self.rng.choice((os.fsync, os.fdatasync))
        self.do(lambda: how(fd), op="sync", sync="file", file=fid)

    def create(self, path, flags=0):
        self.files += 1
        fid = self.number * 1000000 + self.files
        fd = self.do(
            lambda: os.open(self.path(path), os.O_RDWR | os.O_CREAT | os.O_EXCL | flags, 0o644),
            op="create", path=path, file=fid,
        )
        return fd, fid

    def write(self, fd, fid, version, **more):
        data = content(fid, version)
        self.do(lambda: write_all(fd, data), op="write", file=fid, version=version, **more)

    # ---- rounds

    def make(self):
        """A new file, durable in one of the ways there are."""
        flags = self.rng.choice((0, 0, os.O_SYNC, os.O_DSYNC))
        fd, fid = self.create(self.new_name(), flags)
        version = self.version(fid, self.some_size())
        if flags and version[0] > 0:
            self.write(fd, fid, version, sync="file")
        else:
            self.write(fd, fid, version)
            if self.rng.random() < 0.8:
                self.sync_file(fd, fid)
        self.keep(fd)

    def keep(self, fd):
        """Some stay open while we pause: their close would have them synced."""
        if self.rng.random() < 0.5:
            os.close(fd)
            self.pause()
        else:
            self.pause()
            os.close(fd)

    def replace(self):
        """Written beside, synced, renamed over: one or the other is there."""
        target = self.some("file")
        if target is None:
            return
        temp = self.new_name()
        fd, fid = self.create(temp)
        self.write(fd, fid, self.version(fid, self.some_size()))
        self.sync_file(fd, fid)
        os.close(fd)
        if self.rng.random() < 0.3:
            self.pause()
        self.do(lambda: os.rename(self.path(temp), self.path(target)), op="rename", path=temp, to=target)
        if self.rng.random() < 0.7:
            self.sync_dir(os.path.dirname(target))
        self.pause()

    def overwrite(self):
        """Blocks in place, or all of it through O_TRUNC, or a store."""
        path = self.some("file")
        if path is None:
            return
        fid = self.model.now()[path]
        size = self.model.files[fid][-1][0]
        how = self.rng.choice(("truncate", "empty", "blocks", "blocks", "map", "grow"))
        if how == "grow" and size % BLOCK:
            how = "truncate"  # a version has no half blocks inside
        fd = os.open(self.path(path), os.O_RDWR)
        if how == "empty":
            version = self.version(fid, self.some_size())
            self.do(
                lambda: (os.close(os.open(self.path(path), os.O_WRONLY | os.O_TRUNC)), write_all(fd, content(fid, version))),
                op="write", file=fid, version=version, emptied=True,
            )
        elif how == "truncate":
            version = self.version(fid, self.rng.randrange(size // BLOCK + 1) * BLOCK, [])
            self.do(lambda: os.ftruncate(fd, version[0]), op="write", file=fid, version=version)
        elif how == "grow":
            version = self.version(fid, size + 3 * BLOCK, [])
            self.do(lambda: os.ftruncate(fd, version[0]), op="write", file=fid, version=version)
        elif size > 0:
            n = -(-size // BLOCK)
            version = self.version(fid, size, sorted(self.rng.sample(range(n), min(n, 3))))
            if how == "map":
                self.do(lambda: self.store(fd, fid, version), op="write", file=fid, version=version, sync="file")
            else:
                self.do(lambda: self.put(fd, fid, version), op="write", file=fid, version=version)
        if how != "map" and self.rng.random() < 0.8:
            self.sync_file(fd, fid)
        self.keep(fd)

    def put(self, fd, fid, version):
        data = content(fid, version)
        for i, g in enumerate(version[1]):
            if g == self.generation:
                write_all(fd, data[i * BLOCK : (i + 1) * BLOCK], i * BLOCK)

    def store(self, fd, fid, version):
        """Stores in a mapping, and msync."""
        data = content(fid, version)
        with mmap.mmap(fd, version[0]) as m:
            for i, g in enumerate(version[1]):
                if g == self.generation:
                    m[i * BLOCK : (i + 1) * BLOCK] = data[i * BLOCK : (i + 1) * BLOCK]
            m.flush()

    def link(self):
        path = self.some("file")
        if path is None:
            return
        to = self.new_name()
        self.do(lambda: os.link(self.path(path), self.path(to)), op="link", path=path, to=to)
        if self.rng.random() < 0.5:
            self.sync_dir(os.path.dirname(to))
        self.pause()

    def unlink(self):
        path = self.some("file")
        if path is None:
            return
        self.do(lambda: os.unlink(self.path(path)), op="unlink", path=path)
        if self.rng.random() < 0.7:
            self.sync_dir(os.path.dirname(path))
            self.pause()

    def mkdir(self):
        """A file in it, synced, is found: the directory is, too."""
        d = self.new_name()
        self.do(lambda: os.mkdir(self.path(d)), op="mkdir", path=d)
        path = os.path.join(d, "first")
        fd, fid = self.create(path)
        self.write(fd, fid, self.version(fid, 3000))
        self.sync_file(fd, fid)
        self.keep(fd)

    def move(self):
        path = self.some(self.rng.choice(("file", "dir")))
        to = self.new_name()
        if path is None or to.startswith(path + "/"):
            return
        self.do(lambda: os.rename(self.path(path), self.path(to)), op="rename", path=path, to=to)
        if self.rng.random() < 0.6:
            self.sync_dir(os.path.dirname(to))
        self.pause()

    def mark(self):
        path = self.some("file")
        if path is None:
            return
        fid = self.model.now()[path]
        value = str(self.rng.randrange(1 << 30))
        fd = os.open(self.path(path), os.O_RDONLY)
        self.do(lambda: os.setxattr(fd, "user.mark", value.encode()), op="mark", file=fid, value=value)
        if self.rng.random() < 0.7:
            self.sync_file(fd, fid)
        self.keep(fd)

    def run(self):
        os.mkdir(self.root)
        rounds = (self.make, self.make, self.replace, self.overwrite, self.overwrite, self.link, self.mkdir, self.move, self.mark)
        while True:
            files = sum(f != "dir" for f in self.model.now().values())
            self.rng.choice(rounds)() if files < 25 else self.unlink()


def write_all(fd, data, at=0):
    while data:
        n = os.pwrite(fd, data, at)
        data, at = data[n:], at + n


def stop(*_):
    raise Stop


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    try:
        Client(sys.argv[1], sys.argv[2], int(sys.argv[3])).run()
    except Stop:
        pass
