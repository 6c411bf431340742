# SPDX-License-Identifier: Apache-2.0
"""What every suite measures with: idle daemons, empty caches, the client
programs, medians, targets and the table."""
import contextlib
import dataclasses
import json
import os
import re
import stat
import statistics
import subprocess
import sys
import time


BEGAN = time.monotonic()


def say(text):
    print(f"{time.monotonic() - BEGAN:6.0f} s  {text}", file=sys.stderr, flush=True)


def wait_for(what, condition, seconds=60.0, every=0.02):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds} s: {what}")
        time.sleep(every)


# ---- rest, and empty caches --------------------------------------------


def cpu_ticks(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            v = f.read().rsplit(")", 1)[1].split()
        return int(v[11]) + int(v[12])
    except (FileNotFoundError, ProcessLookupError):
        return 0


STILL_SECONDS = 0.4


def rest(pids, seconds=60.0):
    """Waits until the daemons use no processor time for a while: what an
    earlier step left (FORGETs, deletions in the background) is not measured.
    One tick in that time is idling."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        before = [cpu_ticks(p) for p in pids]
        time.sleep(STILL_SECONDS)
        if sum(cpu_ticks(p) for p in pids) - sum(before) <= 1:
            return
    say(f"note: not idle after {seconds:.0f} s, measured all the same")


def drop_caches(what=2):
    """2: names and attributes; 3: pages, too."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write(str(what))


def files_below(tops, at_least):
    for top in tops:
        for d, _, names in os.walk(top):
            for path in (os.path.join(d, n) for n in names):
                st = os.lstat(path)
                if stat.S_ISREG(st.st_mode) and st.st_size >= at_least:
                    yield path


def resident_bytes(paths):
    """What the page cache holds of files."""
    total = 0
    for i in range(0, len(paths), 500):
        command = ["fincore", "--bytes", "--noheadings", "--output", "RES", *paths[i : i + 500]]
        total += sum(map(int, subprocess.check_output(command).split()))
    return total


def empty_pages(tops, at_least=256 << 10, tries=20):
    """Nothing of the files below directories is in memory afterwards: a sync
    through a FUSE mount leaves dirty pages of the files behind it, and those
    survive drop_caches, so each is synced; then it is looked whether it is so."""
    paths = list(files_below(tops, at_least))
    for path in paths:
        with contextlib.suppress(FileNotFoundError), open(path, "rb") as f:
            os.fsync(f.fileno())
    for _ in range(tries):
        drop_caches(3)
        left = resident_bytes([p for p in paths if os.path.exists(p)])
        if left == 0:
            return
        time.sleep(0.1)
    raise RuntimeError(f"{left:,} bytes of files stay in the page cache")


# ---- the client --------------------------------------------------------


class Client:
    """bench-client, bench-data, and real programs, timed."""

    def __init__(self, build):
        self.programs = build / "tests/bench"

    def run(self, name, args, seconds):
        r = subprocess.run(
            [self.programs / name, *map(str, args)], capture_output=True, timeout=seconds
        )
        if r.returncode:
            raise RuntimeError(f"{args}: {r.stderr.decode(errors='replace').strip()}")
        return json.loads(r.stdout)

    def __call__(self, *args, seconds=1200):
        return self.run("bench-client", args, seconds)

    def data(self, *args, seconds=1200):
        return self.run("bench-data", args, seconds)

    def program(self, *args, seconds=1200, env=None):
        """Seconds that a program takes; its output is dropped."""
        began = time.monotonic()
        subprocess.run(
            list(map(str, args)), stdout=subprocess.DEVNULL, check=True, timeout=seconds, env=env
        )
        return time.monotonic() - began


# ---- results -----------------------------------------------------------


@dataclasses.dataclass
class Target:
    """value OP factor x reference; reference None: the factor is the limit."""

    op: str
    factor: float
    reference: str | None = None

    def text(self, unit):
        if self.reference is None:
            return f"{self.op} {self.factor:g} {unit}"
        return f"{self.op} {self.factor:g} x {self.reference}"

    def met(self, value, others):
        limit = self.factor
        if self.reference is not None:
            if others.get(self.reference) is None:
                return None
            limit *= others[self.reference]
        return value >= limit if self.op == ">=" else value <= limit


# What a target may name beside a subject: the best of several.
GROUPS = {
    "best-floor": lambda s: s in ("floor", "floor-pt"),
    "best-peer": lambda s: s not in ("mersey", "native", "floor", "floor-pt", "curl"),
}


class Row:
    """One work: what each subject reached in each run."""

    def __init__(self, suite, work, unit, targets=(), digits=0):
        self.suite, self.work, self.unit = suite, work, unit
        self.targets, self.digits = list(targets), digits
        self.got = {}

    def add(self, subject, value):
        self.got.setdefault(subject, []).append(value)

    def median(self, subject):
        if subject in GROUPS:
            v = [self.median(s) for s in self.got if GROUPS[subject](s)]
            best = max if self.unit.endswith("/s") else min
            return best(v) if v else None
        v = self.got.get(subject)
        return statistics.median(v) if v else None

    def verdict(self):
        """True, False, or None when a reference is missing and none fails."""
        value = self.median("mersey")
        if value is None or not self.targets:
            return None
        others = {s: self.median(s) for s in [*self.got, *GROUPS]}
        all_met = [t.met(value, others) for t in self.targets]
        return False if False in all_met else None if None in all_met else True

    def ratio(self):
        """To the first reference of the targets, else to ext4."""
        first = next((t.reference for t in self.targets if t.reference), "native")
        value, base = self.median("mersey"), self.median(first)
        return value / base if value is not None and base else None

    def record(self, versions):
        return {
            "suite": self.suite,
            "work": self.work,
            "value": self.median("mersey"),
            "unit": self.unit,
            "native": self.median("native"),
            "floor": self.median("best-floor"),
            "floors": {s: self.median(s) for s in self.got if GROUPS["best-floor"](s)},
            "curl": self.median("curl"),
            "peers": {s: self.median(s) for s in self.got if GROUPS["best-peer"](s)},
            "ratio": self.ratio(),
            "target": "; ".join(t.text(self.unit) for t in self.targets) or None,
            "met": self.verdict(),
            "runs": len(self.got.get("mersey", [])),
            "versions": versions,
        }


def number(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def compared(row):
    """'0.71 floor, 5.2 rclone': to each other subject."""
    value = row.median("mersey")
    if value is None:
        return ""
    parts = []
    for s in row.got:
        if s != "mersey" and row.median(s):
            parts.append(f"{value / row.median(s):.2f} {s}")
    return ", ".join(parts)


def table(rows, subjects):
    head = ["work", "unit", "mersey", *subjects, "mersey is x", "target", "met"]
    lines = [head]
    for r in rows:
        met = {True: "yes", False: "NO", None: "-" if not r.targets else "?"}
        lines.append(
            [
                r.work,
                r.unit,
                number(r.median("mersey"), r.digits),
                *(number(r.median(s), r.digits) for s in subjects),
                compared(r),
                "; ".join(t.text(r.unit) for t in r.targets),
                met[r.verdict()],
            ]
        )
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths)).rstrip() for line in lines
    )


def version_of(*command):
    """What a program says of itself: its first line with a number in it."""
    try:
        r = subprocess.run(command, capture_output=True, timeout=20)
    except FileNotFoundError:
        return None
    m = re.search(r"\d+(\.\d+)+[-\w.+~]*", (r.stdout + r.stderr).decode(errors="replace"))
    return m.group(0) if m else None
