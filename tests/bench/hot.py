# SPDX-License-Identifier: Apache-2.0
"""Suite `hot`: data that is cached. README.md says how and why."""
import dataclasses

from lab import Target, empty_pages, say
from suite import Suite, at_least

MIB = 1 << 20
AGAIN = 3  # what is warm takes no time: measured so often in each run


@dataclasses.dataclass
class Counts:
    """How much; peers do less of the same, rates are compared."""

    big: int = 1024 * MIB
    reads: int = 200_000
    writes: int = 6_400
    seconds: int = 10  # random works end then
    files: int = 2_000
    peer_files: int = 200
    bytes: int = 512 << 10


QUICK = Counts(32 * MIB, 2_000, 640, 2, 100, 20)


class Hot(Suite):
    name = "hot"

    def local(self):
        return self.native_and_floors()

    def prepare(self):
        """Written through each subject. Mersey's are protected then, so that
        what is read is a file as it lies in a cache for long."""
        for s in self.subjects:
            say(f"writing the files of {s.name}")
            self.client.data("write", s.root / "big", self.n.big)
            n = self.count_for(s, self.n.files, self.n.peer_files)
            self.client("create", s.root / "tree", n, 1, self.n.bytes)
        self.mersey.g.protect()
        if (state := self.mersey.state(self.mersey.root / "big")) != "local":
            raise RuntimeError(f"the file is {state}, not local")

    # ---- the works

    def sequential_read(self):
        target = at_least(native=0.95)
        cold = self.row("sequential read, cold page cache", "MiB/s", target)
        warm = self.row("sequential read, warm", "MiB/s", target)
        for run in range(self.runs):
            for s in self.rotated(run):
                self.quiet()
                empty_pages([*s.holds(), s.root])
                for row in (cold, *AGAIN * [warm]):
                    got = self.client.data("read", s.root / "big")
                    row.add(s.name, got["bytes"] / MIB / got["seconds"])

    def sequential_write(self):
        row = self.row("sequential write and fsync", "MiB/s", at_least(native=0.9))
        for run in range(self.runs):
            for s in self.rotated(run):
                self.quiet()
                path = s.root / f"new-{run}"
                got = self.client.data("write", path, self.n.big)
                row.add(s.name, got["bytes"] / MIB / got["seconds"])
                path.unlink()

    def random_reads(self):
        row = self.row("4 KiB random read, warm", "reads/s", at_least(native=0.9))
        for run in range(self.runs):
            for s in self.rotated(run):
                self.quiet()
                path = s.root / "big"
                self.client.data("read", path)
                got = self.client.data(
                    "random-read", path, 4096, 4096, self.n.reads, self.n.seconds, run
                )
                row.add(s.name, got["ops"] / got["seconds"])

    def random_writes(self):
        row = self.row("4 KiB random write, fsync each 64", "writes/s", at_least(native=0.8))
        for run in range(self.runs):
            for s in self.rotated(run):
                self.quiet()
                got = self.client.data(
                    "random-write", s.root / "big", 4096, 4096, self.n.writes, self.n.seconds, run, 64
                )
                row.add(s.name, got["ops"] / got["seconds"])

    def small_files(self):
        target = [Target(">=", 0.9, "floor-pt"), Target(">=", 1.0, "floor")]
        row = self.row(
            f"open, read, close {self.n.bytes >> 10} KiB, warm",
            "files/s",
            target + at_least(rclone=3, s3fs=3),
        )
        for run in range(self.runs):
            for s in self.rotated(run):
                n = self.count_for(s, self.n.files, self.n.peer_files)
                files = self.list_of(s.root / "tree", n)
                self.client("read", files, 1)
                self.quiet()
                for _ in range(AGAIN):
                    got = self.client("read", files, 1)
                    row.add(s.name, got["ops"] / got["seconds"])

    def list_of(self, top, n):
        names = [f"{top}/w0/d{k // 1000:04}/f{k:07}.dcm\n" for k in range(n)]
        here = self.work / "list"
        here.write_text("".join(names))
        return here

    def measure(self):
        self.prepare()
        say("sequential read")
        self.sequential_read()
        say("open, read, close")
        self.small_files()
        say("random read")
        self.random_reads()
        say("sequential write")
        self.sequential_write()
        say("random write")
        self.random_writes()
