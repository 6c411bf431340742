# SPDX-License-Identifier: Apache-2.0
"""Suite `meta` with --full: a trust with very many files beside one with
few, in one gateway. README.md says how and why."""
import contextlib
import dataclasses
import itertools
import os
import subprocess
import threading
import time

from lab import Client, Row, Target, drop_caches, rest, say
from subjects import Mersey, worker_peak

SMALL, LARGE = "rem", "rbq"


@dataclasses.dataclass
class Counts:
    small: int = 100_000
    large: int = 10_000_000
    samples: int = 50_000


QUICK = Counts(1_000, 20_000, 500)


def lookups(suite, trust, first, n, beside=None):
    """Stats n of a trust's random files, names and attributes forgotten by the
    kernel but for the directories': each is one LOOKUP."""
    top = suite.g.mount(trust)
    with open(suite.list_of(trust)) as f:
        paths = [top / line.rstrip("\n") for line in itertools.islice(f, first, first + n)]
    here = suite.work / "paths"
    here.write_text("".join(f"{p}\n" for p in paths))
    drop_caches(2)
    rest(suite.mersey.pids)
    for d in {p.parent for p in paths}:
        d.stat()
    with beside or contextlib.nullcontext():
        return suite.client("lookup", here)


class Scale:
    def __init__(self, work, build, server, peers, runs, counts):
        self.work = work / "scale"
        self.work.mkdir()
        self.work.chmod(0o755)
        self.build, self.runs = build, runs
        self.files = {SMALL: counts.small, LARGE: counts.large}
        self.samples = counts.samples
        self.passes = {t: 0 for t in self.files}
        self.client = Client(build)
        buckets = {t: server.make_bucket(f"bench-{os.getpid()}-{t}") for t in self.files}
        self.mersey = Mersey(self.work, build, server, buckets)
        self.g = self.mersey.g
        self.rows = []

    def row(self, work, unit, targets=(), digits=1):
        r = Row("meta", work, unit, targets, digits)
        self.rows.append(r)
        return r

    def versions(self):
        return {"mersey": self.mersey.version}

    def database(self, trust):
        return self.g.work / "state" / trust / "mersey.db"

    def list_of(self, trust):
        return self.work / f"{trust}.list"

    def fill(self):
        """Two trusts, their rows made by a program while nobody serves them."""
        self.mersey.setup()
        for t, n in self.files.items():
            say(f"filling a trust with {n:,} files")
            db = self.database(t)
            paths = 3 * self.runs * self.samples  # no pass repeats another's
            began = time.monotonic()
            subprocess.run(
                [self.build / "tests/bench/bench-fill", db, str(n), self.list_of(t), str(paths)],
                check=True,
            )
            took = time.monotonic() - began
            say(f"filled in {took:.0f} s: {db.stat().st_size >> 20:,} MiB")

    # ---- start

    def first_path(self, trust):
        with open(self.list_of(trust)) as f:
            return self.g.mount(trust) / f.readline().rstrip("\n")

    def start(self):
        """Seconds from the start of the supervisor until a path of the large
        trust is answered."""
        path = self.first_path(LARGE)
        began = time.monotonic()
        self.g.start(wait=False)
        while True:
            with contextlib.suppress(OSError):
                path.stat()
                break
            if self.g.proc.poll() is not None or time.monotonic() > began + 300:
                raise RuntimeError(f"not served: {self.g.log()[-2000:]}")
            time.sleep(0.002)
        took = time.monotonic() - began
        self.mersey.served()
        return took

    def startup(self):
        row = self.row(
            f"start until the first reply, {self.files[LARGE]:,} files", "s", [Target("<=", 2)], 2
        )
        for _ in range(self.runs):
            drop_caches(3)
            row.add("mersey", self.start())
            self.mersey.stop()

    # ---- lookups

    def lookups(self, trust, beside=None):
        first = self.passes[trust] * self.samples
        self.passes[trust] += 1
        return lookups(self, trust, first, self.samples, beside)

    def random_lookups(self):
        small = f"{self.files[SMALL]:,} files"
        large = f"{self.files[LARGE]:,} files"
        rows = {
            q: self.row(f"lookup {q}, {large}", "us", [Target("<=", 1.3, small)])
            for q in ("p50", "p99")
        }
        rate = self.row(f"lookups, {large}", "files/s", digits=0)
        for t in self.files:  # into the page cache: the start emptied it
            subprocess.run(["cp", self.database(t), "/dev/null"], check=True)
        for run in range(self.runs):
            order = [SMALL, LARGE] if run % 2 else [LARGE, SMALL]
            for t in order:
                got = self.lookups(t)
                for q, r in rows.items():
                    r.add("mersey" if t == LARGE else small, got[f"{q}_us"])
                rate.add("mersey" if t == LARGE else small, got["ops"] / got["seconds"])

    def memory(self):
        peak = worker_peak(self.g.worker_pid(LARGE))
        bound = 512  # the default of limits.memory
        self.row("worker's peak memory", "MiB", [Target("<=", bound)]).add("mersey", peak)

    # ---- a scan beside lookups

    def scan(self):
        """A verb that reads every row, run again and again while files are
        looked up; compared with lookups just before."""
        base = "no scan"
        rate = self.row("lookups during a full scan", "files/s", [Target(">=", 0.8, base)], 0)
        p99 = self.row("lookup p99 during a full scan", "us")
        verb = [self.build / "daemon/cli/mersey", "--config", self.g.config]
        verb += ["quota", "check", LARGE]
        whole = self.row(f"a full scan of {self.files[LARGE]:,} files", "s")
        whole.add("mersey", self.client.program(*verb, env=self.g.env()))
        for _ in range(self.runs):
            alone = self.lookups(LARGE)
            got = self.lookups(LARGE, Repeated(verb, self.g.env()))
            rate.add("mersey", got["ops"] / got["seconds"])
            rate.add(base, alone["ops"] / alone["seconds"])
            p99.add("mersey", got["p99_us"])
            p99.add(base, alone["p99_us"])

    def run(self):
        with contextlib.ExitStack() as ending:
            ending.callback(self.mersey.stop)
            self.fill()
            say("start")
            self.startup()
            self.start()
            say("lookups")
            self.random_lookups()
            self.memory()
            self.scan()
        return self.rows


class Repeated:
    """Runs a command again and again as long as the context lasts."""

    def __init__(self, command, env):
        self.command, self.env = command, env
        self.failed = self.proc = None
        self.done = False
        self.lock = threading.Lock()
        self.thread = threading.Thread(target=self.loop)

    def start(self):
        """The next run; None when there is to be no more."""
        with self.lock:
            if self.done:
                return None
            self.proc = subprocess.Popen(
                self.command, env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            return self.proc

    def loop(self):
        while not self.failed and (p := self.start()):
            said = p.communicate()[1].decode(errors="replace")
            if p.returncode and not self.done:
                self.failed = said or f"exit {p.returncode}"

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *exc):
        with self.lock:
            self.done = True
            if self.proc:
                self.proc.terminate()
        self.thread.join()
        if self.failed:
            raise RuntimeError(f"{self.command}: {self.failed}")
