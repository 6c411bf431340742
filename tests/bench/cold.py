# SPDX-License-Identifier: Apache-2.0
"""Suite `cold`: one large file that is in the bucket only. README.md says how
and why."""
import dataclasses
import random

from lab import Target, say
from server import Curl, Line
from suite import Suite, at_least

MIB = 1 << 20
PIECE = 64 << 10


@dataclasses.dataclass
class Counts:
    big: int = 1024 * MIB
    firsts: int = 3  # cold first reads in each run; peers: one
    slide: int = 2048 * MIB
    clicks: int = 200  # random reads in the slide
    seconds: int = 60


QUICK = Counts(24 * MIB, 1, 32 * MIB, 20, 5)


class Cold(Suite):
    """All peers, and curl, read the same object."""

    name = "cold"

    def __init__(self, *args):
        super().__init__(*args)
        self.curl = Curl(self.work)
        self.readers = [self.curl, *self.subjects]
        self.subjects = [*self.subjects, self.curl]

    def peer_bucket(self, peer):
        return self.common_bucket()

    def prepare(self):
        """The same content for all: once through Mersey, once as objects."""
        for name, size in (("big", self.n.big), ("slide", self.n.slide)):
            say(f"storing {size / MIB:,.0f} MiB twice")
            self.client.data("write", self.mersey.root / name, size)
            self.mersey.g.protect(self.mersey.root / name)
            here = self.work / name
            self.client.data("write", here, size)
            self.server.put_file(self.common_bucket(), name, here)
            here.unlink()

    def go_cold(self, s, name):
        path = s.root / name
        s.cold(path, [path])
        path.stat()
        self.quiet()
        return path

    def fetched_something(self, s, since):
        """What was read can only have come from the bucket."""
        if self.server.seen(s.bucket, since)["GET"] == 0:
            raise RuntimeError(f"{s.name} was not cold: it sent no GET")

    # ---- the works

    def sequential(self, line):
        targets = at_least(curl=0.9, **({"best_peer": 2} if line.rtt_ms else {}))
        row = self.row(f"sequential read, {line.name}", "MiB/s", targets)
        (url,) = self.server.urls("get_object", self.common_bucket(), ["big"], line.endpoint)
        for run in range(self.runs):
            for s in self.rotated(run, self.readers):
                if s is self.curl:
                    self.quiet()
                    seconds = s.get(url, self.n.big)
                else:
                    path = self.go_cold(s, "big")
                    since = self.server.written()
                    seconds = self.client.data("read", path)["seconds"]
                    self.server.written()
                    self.fetched_something(s, since)
                row.add(s.name, self.n.big / MIB / seconds)

    def first_bytes(self, line):
        row = self.row(
            f"first 64 KiB, {line.name}", "ms", [Target("<=", 1.3, "curl")], digits=1
        )
        (url,) = self.server.urls("get_object", self.common_bucket(), ["big"], line.endpoint)
        for run in range(self.runs):
            rng = random.Random(run)
            offsets = [rng.randrange(PIECE, self.n.big - PIECE) for _ in range(self.n.firsts)]
            for s in self.rotated(run, self.readers):
                for at in offsets[:1] if s in self.peers else offsets:
                    if s is self.curl:
                        self.quiet()
                        seconds = s.get_warm(url, at, PIECE)
                    else:
                        path = self.go_cold(s, "big")
                        seconds = self.client.data("at", path, PIECE, at)["seconds"]
                    row.add(s.name, seconds * 1e3)

    def clicks(self, line):
        """A viewer in a slide: what is fetched beyond what it asked for."""
        fetched = self.row(
            f"random 64 KiB reads, {line.name}: fetched", "x asked", [Target("<=", 2.2)], digits=2
        )
        p50 = self.row(f"random 64 KiB reads, {line.name}: p50", "ms", digits=1)
        for run in range(self.runs):
            for s in self.rotated(run, [self.mersey, *self.peers]):
                path = self.go_cold(s, "slide")
                before = line.fetched()
                got = self.client.data(
                    "random-read", path, PIECE, 1, self.n.clicks, self.n.seconds, run
                )
                self.quiet()
                fetched.add(s.name, (line.fetched() - before) / got["bytes"])
                p50.add(s.name, got["p50_us"] / 1e3)

    def measure(self):
        self.prepare()
        for rtt_ms in (0, 20):
            with Line(self.build, self.server, rtt_ms) as line:
                for s in (self.mersey, *self.peers):
                    s.at(line.endpoint)
                say(f"sequential read, {line.name}")
                self.sequential(line)
                say(f"first bytes, {line.name}")
                self.first_bytes(line)
                if rtt_ms:
                    say(f"random reads, {line.name}")
                    self.clicks(line)
