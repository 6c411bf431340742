# SPDX-License-Identifier: Apache-2.0
"""What the suites share: subjects that stand beside each other, whose turn it
is, rest between the works, and the rows of the table."""
import contextlib
import os
import platform
import re

from lab import Client, Row, Target, rest
from subjects import PEERS, Floor, Mersey, Native, PassthroughFloor


def at_least(**others):
    """Targets: {subject: factor}; a "_" stands for "-"."""
    return [Target(">=", f, s.replace("_", "-")) for s, f in others.items()]


def passthrough_offered():
    version = re.match(r"(\d+)\.(\d+)", platform.release()).groups()
    return tuple(map(int, version)) >= (6, 9)


class Suite:
    """`name` is the suite's; a subclass makes its subjects and has work()."""

    name = None

    def __init__(self, work, build, server, peers, runs, counts):
        self.work = work / self.name
        self.work.mkdir()
        self.work.chmod(0o755)  # service accounts pass through it
        self.build, self.server, self.runs, self.n = build, server, runs, counts
        self.client = Client(build)
        self.rows, self.common = [], None
        self.peers = [PEERS[p](self.work, server, self.peer_bucket(p)) for p in peers]
        self.mersey = Mersey(self.work, build, server, {"rem": self.bucket("mersey")}).setup()
        self.subjects = [*self.local(), self.mersey, *self.peers]

    def local(self):
        """Subjects without a store."""
        return []

    def native_and_floors(self):
        floors = [Floor, PassthroughFloor] if passthrough_offered() else [Floor]
        return [Native(self.work), *(f(self.work, self.build) for f in floors)]

    def bucket(self, name):
        return self.server.make_bucket(f"bench-{os.getpid()}-{self.name}-{name}")

    def peer_bucket(self, peer):
        return self.bucket(peer)

    def common_bucket(self):
        """One for all who read the same objects."""
        if not self.common:
            self.common = self.bucket("objects")
        return self.common

    def versions(self):
        return {s.name: s.version for s in self.subjects if s.version}

    # ---- order, rest

    def rotated(self, run, subjects=None):
        s = self.subjects if subjects is None else subjects
        first = run % max(len(s), 1)
        return s[first:] + s[:first]

    def quiet(self):
        """Nobody works but who is measured next."""
        os.sync()
        rest([p for s in self.subjects for p in s.pids])

    def row(self, work, unit, targets=(), digits=0):
        r = Row(self.name, work, unit, targets, digits)
        self.rows.append(r)
        return r

    def count_for(self, subject, ours, peers):
        """Peers do less of the same: rates are compared."""
        return peers if subject in self.peers else ours

    # ---- the run

    def start(self, subject):
        if subject in self.peers:
            subject.forget()
        else:
            subject.start()

    def run(self):
        with contextlib.ExitStack() as ending:
            for s in self.subjects:
                ending.callback(s.stop)
                self.start(s)
            self.measure()
        return self.rows

    def measure(self):
        raise NotImplementedError
