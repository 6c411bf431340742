# SPDX-License-Identifier: Apache-2.0
"""Suite `seal`: from the local disk into the bucket. README.md says how and
why."""
import dataclasses
import re
import subprocess
import time

import dicom
from lab import Target, say
from server import Curl
from suite import Suite, at_least

MIB = 1 << 20


@dataclasses.dataclass
class Counts:
    big: int = 1024 * MIB
    slices: int = 2_048  # of 512 KiB
    objects: int = 64  # that curl stores
    object_bytes: int = 16 * MIB
    seal_mib: int = 1024
    documents: int = 100_000


QUICK = Counts(32 * MIB, 32, 8, 4 * MIB, 16, 500)


class Seal(Suite):
    name = "seal"

    def __init__(self, work, build, server, peers, runs, counts):
        super().__init__(work, build, server, [], runs, counts)
        self.curl = Curl(self.work)
        self.subjects = [*self.subjects, self.curl]

    # ---- what curl stores

    def curl_puts(self):
        """MiB/s: files of the size of a pack, as many at once as it may."""
        bucket, source = self.common_bucket(), self.work / "object"
        if not source.exists():
            self.client.data("write", source, self.n.object_bytes)
        names = [f"object-{i}" for i in range(self.n.objects)]
        urls = self.server.urls("put_object", bucket, names, self.server.endpoint)
        self.quiet()
        seconds = self.curl.put(urls, source)
        self.server.remove(bucket)
        return self.n.objects * self.n.object_bytes / MIB / seconds

    # ---- what Mersey stores

    def protect(self, top):
        """MiB/s from now until all is protected; removed from the bucket
        afterwards, past Mersey, which no longer knows it."""
        size = sum(p.stat().st_size for p in top.rglob("*") if p.is_file())
        since = self.server.written()
        self.quiet()
        began = time.monotonic()
        self.mersey.g.protect(top)
        took = time.monotonic() - began
        self.server.written()
        if self.server.seen(self.mersey.bucket, since)["PUT"] == 0:
            raise RuntimeError("nothing was stored: it was protected before")
        subprocess.run(["rm", "-r", top], check=True)
        self.quiet()
        self.server.remove(self.mersey.bucket, "packs/")
        return size / MIB / took

    def write_file(self, top):
        top.mkdir()
        self.client.data("write", top / "big", self.n.big)

    def write_slices(self, top):
        made = self.work / "slices"
        paths = dicom.write_study(made, "ct", self.n.slices, study=9)
        for rel in paths:
            to = top / rel
            to.parent.mkdir(parents=True, exist_ok=True)
            to.write_bytes((made / rel).read_bytes())

    def protecting(self):
        big, slices = f"{self.n.big // MIB:,} MiB", f"{self.n.slices:,} x 512 KiB"
        target = at_least(curl=0.8)
        kinds = [
            (self.row(f"protect {big}, incompressible, one file", "MiB/s", target), self.write_file),
            (self.row(f"protect {slices}, CT-like", "MiB/s", target), self.write_slices),
        ]
        for run in range(self.runs):
            stored = self.curl_puts()
            for i, (row, write) in enumerate(kinds):
                row.add("curl", stored)
                top = self.mersey.root / f"run-{run}-{i}"
                write(top)
                row.add("mersey", self.protect(top))

    def alone(self):
        """bench-seal: the writer of packs on one core, no network."""
        rows = {}
        for _ in range(self.runs):
            self.quiet()
            out = subprocess.check_output(
                [self.build / "tests/bench/bench-seal", str(self.n.seal_mib)], text=True
            )
            for kind, rate in re.findall(r"^pack +(\S+) +(\d+) MB/s", out, re.M):
                if kind not in rows:
                    target = [Target(">=", 1000)] if kind == "incompressible" else ()
                    rows[kind] = self.row(f"seal alone, {kind}", "MB/s per core", target)
                rows[kind].add("mersey", float(rate))

    def documents(self):
        """Requests are counted, not timed: once."""
        n = self.n.documents
        row = self.row(f"PUTs to protect {n:,} x 8 KiB", "PUTs", [Target("<=", 200)])
        top = self.mersey.root / "documents"
        since = self.server.written()
        self.client("create", top, n, 1, 8192)
        self.mersey.g.protect(top)
        self.quiet()
        self.server.written()
        seen = self.server.seen(self.mersey.bucket, since)
        row.add("mersey", seen["PUT"] + seen["POST"])

    def measure(self):
        say("sealing alone")
        self.alone()
        say("protecting large and small files")
        self.protecting()
        say("protecting documents")
        self.documents()
