# SPDX-License-Identifier: Apache-2.0
"""Suite `store`: the S3 driver alone, beside curl. README.md says how and
why."""
import dataclasses
import hashlib
import json
import os
import resource
import subprocess

from lab import Row, Target, say
from server import Curl

MIB = 1 << 20
AT_ONCE = 8


@dataclasses.dataclass
class Counts:
    packs: int = 48  # of 16 MiB
    frames: int = 4_000  # of 64 KiB


QUICK = Counts(8, 200)


def children_cpu():
    r = resource.getrusage(resource.RUSAGE_CHILDREN)
    return r.ru_utime + r.ru_stime


class Store:
    """No mounts: two programs, in turn, on the same objects."""

    name = "store"

    def __init__(self, work, build, server, peers, runs, counts):
        self.work = work / self.name
        self.work.mkdir()
        self.build, self.server, self.runs, self.n = build, server, runs, counts
        self.bucket = server.make_bucket(f"bench-{os.getpid()}-store")
        self.curl = Curl(self.work)
        self.curl.at_once = AT_ONCE
        self.rows = []

    def versions(self):
        return {"curl": self.curl.version}

    # ---- each returns (wall seconds, processor seconds)

    def mersey(self, verb, size, count):
        env = dict(
            os.environ,
            MERSEY_TEST_S3_ENDPOINT=self.server.endpoint,
            MERSEY_TEST_S3_REGION=self.server.region,
            MERSEY_TEST_S3_ACCESS_KEY=self.server.access,
            MERSEY_TEST_S3_SECRET_KEY=self.server.secret,
            MERSEY_TEST_S3_BUCKET=self.bucket,
        )
        program = self.build / "tests/bench/bench-store"
        out = subprocess.check_output([program, verb, str(size), str(count), str(AT_ONCE)], env=env)
        r = json.loads(out)
        return r["seconds"], r["cpu"]

    def curl_puts(self, size, keys):
        """Signed with the digest, which the server then compares, as it does
        for the driver."""
        source = self.work / f"source-{size}"
        if not source.exists():
            source.write_bytes(os.urandom(size))
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        how = {
            "upload-file": str(source),
            "aws-sigv4": f"aws:amz:{self.server.region}:s3",
            "user": f"{self.server.access}:{self.server.secret}",
            "header": f"x-amz-content-sha256: {digest}",
        }
        return [{"url": f"{self.server.endpoint}/{self.bucket}/{k}"} | how for k in keys]

    def with_curl(self, verb, size, count):
        keys = [f"object-{i}" for i in range(count)]
        if verb == "put":
            transfers = self.curl_puts(size, keys)
        else:
            urls = self.server.urls("get_object", self.bucket, keys, self.server.endpoint)
            transfers = [{"url": u} for u in urls]
        before = children_cpu()
        took = self.curl.parallel(transfers, size * count)
        return took, children_cpu() - before

    # ---- rows

    def row(self, work, unit, target, digits=0):
        r = Row(self.name, work, unit, [target], digits)
        self.rows.append(r)
        return r

    def compare(self, verb, size, count, speed, cpu):
        pairs = [("mersey", self.mersey), ("curl", self.with_curl)]
        for run in range(self.runs):
            for subject, do in pairs if run % 2 else pairs[::-1]:
                took, used = do(verb, size, count)
                rate = count / took if speed.unit == "GETs/s" else count * size / MIB / took
                speed.add(subject, rate)
                cpu.add(subject, used / (count * size / (1 << 30)))

    def run(self):
        n = self.n
        for verb in ("put", "get"):
            say(f"{verb}: 16 MiB, {AT_ONCE} at once")
            self.compare(
                verb, 16 * MIB, n.packs,
                self.row(f"{verb} {n.packs} x 16 MiB, {AT_ONCE} at once", "MiB/s",
                         Target(">=", 0.95, "curl")),
                self.row(f"{verb} 16 MiB: CPU", "s/GiB", Target("<=", 1.2, "curl"), 3),
            )  # fmt: skip
        say("get: 64 KiB")
        self.mersey("put", 65536, n.frames)
        self.compare(
            "get", 65536, n.frames,
            self.row(f"get {n.frames:,} x 64 KiB, {AT_ONCE} at once", "GETs/s",
                     Target(">=", 0.9, "curl")),
            self.row("get 64 KiB: CPU", "s/GiB", Target("<=", 1.2, "curl"), 3),
        )  # fmt: skip
        self.server.remove(self.bucket)
        return self.rows
