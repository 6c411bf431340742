# SPDX-License-Identifier: Apache-2.0
"""Suite `meta`: names and attributes. README.md says how and why."""
import dataclasses

from lab import Target, drop_caches, say
from suite import Suite, at_least


@dataclasses.dataclass
class Counts:
    """How many files; peers do less of the same, rates are compared."""

    files: int = 100_000  # stat, ls, find, rename
    create: int = 10_000
    peer_create: int = 1_000
    peer_files: int = 3_000  # put into the bucket: ls, find


QUICK = Counts(files=2_000, create=400, peer_create=40, peer_files=100)


class Meta(Suite):
    name = "meta"

    def local(self):
        self.native, *self.floors = self.native_and_floors()
        return [self.native, *self.floors]

    def cold(self):
        """The kernel knows no name of any mount; what a daemon has below
        (its database, the inodes of ext4) stays as warm as it is."""
        drop_caches(2)
        self.quiet()

    # ---- the works

    def create_and_unlink(self, writers, words):
        targets = at_least(best_floor=0.8, rclone=5, s3fs=10)
        made = self.row(f"create 8 KiB, {words}", "files/s", targets)
        p99 = self.row(f"create 8 KiB, {words}: p99", "us")
        targets = at_least(best_floor=0.8, rclone=4, s3fs=4)
        gone = self.row(f"unlink, {words}", "files/s", targets)
        for run in range(self.runs):
            for s in self.rotated(run):
                n = self.count_for(s, self.n.create, self.n.peer_create)
                where = s.root / f"new{writers}-{run}"
                self.quiet()
                got = self.client("create", where, n, writers, 8192)
                made.add(s.name, got["ops"] / got["seconds"])
                p99.add(s.name, got["p99_us"])
                if s in self.peers:
                    continue
                self.quiet()
                got = self.client("unlink", where, n, writers)
                gone.add(s.name, got["ops"] / got["seconds"])
        self.unlink_peers(gone, writers)

    def unlink_peers(self, row, writers):
        """They remove what is in the bucket, their listing read before."""
        for run in range(self.runs):
            for s in self.rotated(run, self.peers):
                n = self.n.peer_create - self.n.peer_create % writers
                top = f"gone{writers}-{run}"
                self.put_tree(s, top, n, writers)
                s.forget()
                self.client("stat", s.root / top, n, writers)
                self.quiet()
                got = self.client("unlink", s.root / top, n, writers)
                row.add(s.name, got["ops"] / got["seconds"])

    def put_tree(self, peer, top, files, writers=1):
        """The client's layout, uploaded past the peer."""
        each = files // writers
        keys = [
            f"{top}/w{w}/d{k // 1000:04}/f{k:07}.dcm"
            for w in range(writers)
            for k in range(each)
        ]
        self.server.put_all(peer.bucket, keys, b"m" * 64)

    def make_trees(self):
        say(f"making trees of {self.n.files:,} files")
        for top in (self.native.root, *(f.back for f in self.floors), self.mersey.root):
            self.client("create", top / "tree", self.n.files, 1, 64)
        for p in self.peers:
            self.put_tree(p, "tree", self.n.peer_files)

    def stat(self):
        cold = self.row("stat, cold kernel cache", "files/s", at_least(best_floor=0.9))
        warm = self.row("stat, warm", "files/s", at_least(native=0.95))
        for run in range(self.runs):
            for s in self.rotated(run, self.ours()):
                self.cold()
                got = self.client("stat", s.root / "tree", self.n.files, 1)
                cold.add(s.name, got["ops"] / got["seconds"])
                got = self.client("stat", s.root / "tree", self.n.files, 1)
                warm.add(s.name, got["ops"] / got["seconds"])

    def walk(self, work, command):
        """A program walks the tree; peers with an empty cache."""
        row = self.row(work, "files/s", at_least(rclone=3, s3fs=3))
        for run in range(self.runs):
            for s in self.rotated(run):
                n = self.count_for(s, self.n.files, self.n.peer_files)
                if s in self.peers:
                    s.forget()
                self.cold()
                row.add(s.name, n / self.client.program(*command(s.root / "tree")))

    def rename(self):
        time = self.row(
            f"rename of a directory with {self.n.files:,} files",
            "ms",
            [Target("<=", 5)],
            digits=3,
        )
        sent = self.row("requests to the store by it", "requests", [Target("<=", 0)])
        for run in range(self.runs):
            for s in self.rotated(run, self.ours()):
                self.quiet()
                before = self.server.requests(self.mersey.bucket)
                if before == 0:
                    raise RuntimeError("the server's log names no request of the gateway")
                got = self.client("rename", s.root / "tree", s.root / "moved")
                time.add(s.name, got["seconds"] * 1e3)
                self.client("rename", s.root / "moved", s.root / "tree")
                if s is self.mersey:
                    self.quiet()
                    sent.add(s.name, self.server.requests(s.bucket) - before)

    def ours(self):
        return [self.native, *self.floors, self.mersey]

    def measure(self):
        say("create and unlink")
        self.create_and_unlink(1, "one writer")
        self.create_and_unlink(4, "four writers")
        self.make_trees()
        say("stat")
        self.stat()
        say("ls, find")
        self.walk("ls -lR", lambda tree: ("ls", "-lR", tree))
        self.walk("find -size +1M", lambda tree: ("find", tree, "-size", "+1M"))
        say("rename")
        self.rename()
