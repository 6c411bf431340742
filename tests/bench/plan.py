# SPDX-License-Identifier: Apache-2.0
"""Suite `plan`: how long a policy takes to look at all files of a trust, and
what its clients notice of it. README.md says how and why."""
import contextlib
import dataclasses
import json
import os
import subprocess

from lab import Client, Row, Target, rest, say
from scale import Repeated, lookups
from subjects import Mersey, worker_peak

ALONE, STUDIES = "rem", "rbq"
TIER = {"name": "cool", "class": "STANDARD_IA"}
POLICIES = [
    "policies:",
    "  all:",
    "    file_classes:",
    '      never: {path: "/scratch/**", last_access: "> 90d"}',
    '      all: {path: "**/*.dcm", size: ">= 64KiB"}',
    "    rules: [{for: never, do: keep}, {for: all, do: move, to: cool}]",
]
LIMIT = 30 / 1_000_000  # seconds for a file


@dataclasses.dataclass
class Counts:
    files: int = 50_000
    samples: int = 20_000


FULL = Counts(1_000_000, 50_000)
QUICK = Counts(2_000, 500)


class Plan:
    def __init__(self, work, build, server, peers, runs, counts):
        self.work = work / "plan"
        self.work.mkdir()
        self.work.chmod(0o755)
        self.build, self.runs, self.n = build, runs, counts
        self.passes = 0
        self.client = Client(build)
        buckets = {t: server.make_bucket(f"plan-{os.getpid()}-{t}") for t in (ALONE, STUDIES)}
        self.mersey = Mersey(self.work, build, server, buckets)
        self.g = self.mersey.g
        self.g.keys |= {
            "tiers": [TIER],
            "policies": POLICIES,
            "trust_keys": ["policy: all"],
            "prices": "aws-eu-west-2",
        }
        self.g.write_config()
        self.rows = []

    def row(self, work, unit, targets=(), digits=1):
        r = Row("plan", work, unit, targets, digits)
        self.rows.append(r)
        return r

    def versions(self):
        return {"mersey": self.mersey.version}

    def fill(self):
        self.mersey.setup()
        for t, more in ((ALONE, []), (STUDIES, ["studies"])):
            db = self.g.work / "state" / t / "mersey.db"
            paths = 2 * self.runs * self.n.samples  # no pass repeats another's
            subprocess.run(
                [
                    self.build / "tests/bench/bench-fill",
                    *(db, str(self.n.files), self.list_of(t), str(paths), *more),
                ],
                check=True,
            )

    def list_of(self, trust):
        return self.work / f"{trust}.list"

    # ---- plans

    def verb(self, trust):
        mersey = self.build / "daemon/cli/mersey"
        return [mersey, "--config", self.g.config, "tier", "plan", trust]

    def plan(self, trust):
        """Seconds; all files are in it."""
        rest(self.mersey.pids)
        took = self.client.program(*self.verb(trust), env=self.g.env())
        said = subprocess.run(
            [*self.verb(trust), "--json"], env=self.g.env(), capture_output=True, check=True
        )
        totals = json.loads(said.stdout)["result"]["totals"]
        if totals["files"] != self.n.files:
            raise RuntimeError(f"{trust}: a plan of {totals['files']} files")
        return took

    def plans(self):
        limit = self.n.files * LIMIT
        for t, what in ((ALONE, "by themselves"), (STUDIES, "in studies of 1,000")):
            row = self.row(f"plan of {self.n.files:,} files {what}", "s", [Target("<=", limit)], 2)
            for _ in range(self.runs):
                row.add("mersey", self.plan(t))

    def memory(self):
        row = self.row("worker's peak memory", "MiB", [Target("<=", 512)])
        row.add("mersey", worker_peak(self.g.worker_pid(ALONE)))

    # ---- beside clients

    def lookups(self, beside=None):
        first = self.passes * self.n.samples
        self.passes += 1
        return lookups(self, ALONE, first, self.n.samples, beside)

    def beside(self):
        base = "no plan"
        rows = {
            "p50_us": self.row("lookup p50 during plans", "us", [Target("<=", 1.2, base)]),
            "p99_us": self.row("lookup p99 during plans", "us"),
        }
        for _ in range(self.runs):
            got = {
                base: self.lookups(),
                "mersey": self.lookups(Repeated(self.verb(ALONE), self.g.env())),
            }
            for key, row in rows.items():
                for who, values in got.items():
                    row.add(who, values[key])

    def run(self):
        with contextlib.ExitStack() as ending:
            ending.callback(self.mersey.stop)
            say(f"filling two trusts with {self.n.files:,} files")
            self.fill()
            self.mersey.start()
            say("plans")
            self.plans()
            self.memory()
            say("lookups beside plans")
            self.beside()
        return self.rows
