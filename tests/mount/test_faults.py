# SPDX-License-Identifier: Apache-2.0
"""Thousands of operations while the S3 server has every fault that faultproxy
knows: no wrong byte, no lost object, no request counted twice or not at all,
no connection or memory leaked, and it ends.

Each client has a directory and a model of what must be in it. What a fault
may do to a program is to make it wait, or to give EIO or ETIMEDOUT for bytes
that are not here; the next try, or the one after, gives the right ones.

$MERSEY_FAULTS_SEED repeats a run.
"""
import collections
import concurrent.futures
import contextlib
import errno
import json
import os
import random
import socket
import sqlite3
import time

import pytest

from conftest import BUILD, FULL, PLAIN, drop_caches, new_buckets, running, wait_for
from faultproxy import FAULTS, FaultProxy

SEED = int(os.environ.get("MERSEY_FAULTS_SEED", 99))
OPERATIONS = 10000 if FULL else 500  # with each build
CLIENTS = 10
ROUNDS = 4
RATE = 0.05
IN_FLIGHT = 8  # of the store, by default
KIB = 1024
MIB = 1 << 20
GROWTH = 40 * MIB  # of a worker: what it keeps for packs and fetches
STORED = 1  # META_PACK_STORED
PATIENCE = 1.0  # seconds: a program's, with a verb that waits
TRIES = 60  # of a read that an injected fault made fail
NOT_HERE = (errno.EIO, errno.ETIMEDOUT)
HARMLESS = {None, "delay", "trickle", "duplicate"}
CHANGES = {"put", "delete", "batch", "restore"}  # that may leave it unknown whether they happened


class Worker:
    """The control socket of a trust, without a process for each verb."""

    def __init__(self, g):
        self.path = str(g.work / "run" / "rem.sock")

    def ask(self, verb, seconds=120, **args):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(seconds)
            s.connect(self.path)
            s.sendall(json.dumps({"id": 1, "verb": verb, "args": args}).encode() + b"\n")
            with s.makefile("rb") as f:
                for line in f:
                    said = json.loads(line)
                    if "progress" not in said:
                        return said
        raise AssertionError(f"{verb}: no answer")

    def result(self, verb, seconds=120, **args):
        said = self.ask(verb, seconds, **args)
        assert "result" in said, said
        return said["result"]


class Client:
    """Does what programs do, and knows what must come of it."""

    def __init__(self, g, proxy, number):
        self.proxy, self.worker = proxy, Worker(g)
        self.rng = random.Random(f"{SEED}/{number}")
        self.top = g.mount() / f"c{number}"
        self.top.mkdir()
        self.model = {}
        self.names = self.evicted = 0
        self.done = collections.Counter()
        self.errors = collections.Counter()

    def run(self, operations):
        for _ in range(operations):
            self.one()

    def one(self):
        what = self.rng.choices(
            ["write", "patch", "read", "part", "evict", "recall", "delete", "rename", "fsync", "wait"],
            [20, 6, 28, 12, 16, 2, 4, 4, 3, 5],
        )[0]
        if what != "write" and not self.model:
            what = "write"
        name = None if what == "write" else self.rng.choice(sorted(self.model))
        getattr(self, what)(name)
        self.done[what] += 1

    def through(self, what):
        """What an injected fault may keep from happening; in the end it does."""
        for _ in range(TRIES):
            since = len(self.proxy.log)
            try:
                return what()
            except OSError as e:
                assert e.errno in NOT_HERE, e
                # its bytes may have been asked for before it was
                gets = [s for s in self.proxy.log[max(0, since - 50) :] if s.op == "get"]
                assert {s.fault for s in gets} - HARMLESS, f"{e}, and there was no fault"
                self.errors[errno.errorcode[e.errno]] += 1
        raise AssertionError(f"not after {TRIES} tries")

    # ---- what programs do

    def path(self, name):
        return self.top / name

    def write(self, _):
        if self.model and self.rng.random() < 0.3:
            name = self.rng.choice(sorted(self.model))
        else:
            self.names += 1
            name = f"f{self.names}"
        size = self.rng.choice([0, 1, 3 * KIB, 60 * KIB, 200 * KIB, 200 * KIB, 700 * KIB])
        data = self.rng.randbytes(size and self.rng.randint(size // 2 + 1, size))
        self.through(lambda: self.path(name).write_bytes(data))
        self.model[name] = data

    def patch(self, name):
        """Into the middle, or behind the end."""
        data = self.model[name]
        at = self.rng.randint(0, len(data) + 1000)
        piece = self.rng.randbytes(self.rng.randint(1, 30 * KIB))

        def do():
            with open(self.path(name), "r+b", buffering=0) as f:
                assert os.pwrite(f.fileno(), piece, at) == len(piece)

        self.through(do)
        self.model[name] = data[:at].ljust(at, b"\0") + piece + data[at + len(piece) :]

    def must_be(self, name, got, want, at=0):
        if got != want:
            same = len(os.path.commonprefix([got, want]))
            pytest.fail(f"{self.top.name}/{name} is wrong at {at + same}: {len(got)} bytes of {len(want)}")

    def read(self, name):
        self.must_be(name, self.through(self.path(name).read_bytes), self.model[name])

    def part(self, name):
        want = self.model[name]
        at = self.rng.randint(0, len(want))
        n = self.rng.randint(1, 64 * KIB)

        def do():
            got = b""
            with open(self.path(name), "rb", buffering=0) as f:
                # what comes before bytes that are not here may come alone
                while piece := os.pread(f.fileno(), n - len(got), at + len(got)):
                    got += piece
            return got

        self.must_be(name, self.through(do), want[at : at + n], at)

    def evict(self, _):
        """All that is protected by now."""
        self.evicted += self.worker.result("evict", paths=[{"path": self.top.name}])["files"]

    def recall(self, name):
        self.worker.ask("recall", paths=[{"path": f"{self.top.name}/{name}"}])

    def delete(self, name):
        self.path(name).unlink()
        del self.model[name]

    def rename(self, name):
        to = self.rng.choice(sorted(self.model) + [f"r{self.names}"])
        self.path(name).rename(self.path(to))
        self.model[to] = self.model.pop(name)

    def fsync(self, name):
        with open(self.path(name), "r+b") as f:
            os.fsync(f.fileno())

    def wait(self, _):
        """Not for ever: whoever loses patience hangs up."""
        try:
            self.worker.result("wait", PATIENCE, paths=[{"path": self.top.name}])
        except TimeoutError:
            self.errors["impatient"] += 1

    def check_all(self):
        assert sorted(os.listdir(self.top)) == sorted(self.model)
        for name in self.model:
            self.read(name)


def sockets(pid):
    """Of a process: those to the proxy are few and kept."""
    n = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        try:
            n += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
        except FileNotFoundError:
            pass
    return n


def rss(pid):
    with open(f"/proc/{pid}/status") as f:
        return next(int(line.split()[1]) * KIB for line in f if line.startswith("VmRSS"))


def billed(g):
    """Requests that the ledger has, by class."""
    total = collections.Counter()
    for row in g.cli("cost", "report")["rows"]:
        total.update({k: v for k, v in row["requests"].items() if v})
    return +total


def run_clients(clients, operations):
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for f in [pool.submit(c.run, operations) for c in clients]:
            f.result(600)


def ledger_and_packs(g):
    """How many outcomes the ledger calls unknown, and the state of each pack.
    After the end: until then the database is its worker's alone."""
    with contextlib.closing(sqlite3.connect(f"file:{g.work}/state/rem/mersey.db?mode=ro", uri=True)) as db:
        (unknown,) = db.execute("SELECT SUM(unknown) FROM ledger").fetchone()
        return unknown, dict(db.execute("SELECT object, state FROM pack"))


@pytest.fixture(params=["sanitized", "plain"])
def faulty(s3, request):
    """A gateway behind a proxy, with fair weather so far."""
    host, port = s3["endpoint"].rsplit("/", 1)[-1].split(":")
    with FaultProxy((host, int(port)), seed=SEED) as proxy:

        def set_up():  # from here on the ledger counts
            proxy.since = len(proxy.log)

        with running(
            set_up=set_up,
            store="s3",
            s3=s3,
            buckets=new_buckets(s3),
            endpoint=proxy.endpoint,
            trusts=("rem",),
            build=PLAIN if request.param == "plain" else BUILD,
            settle="0s",
            read_wait="4s",
            delete_after="1s",
        ) as g:
            yield g, proxy


def test_operations(faulty):
    g, proxy = faulty
    pid = g.worker_pid()
    before = sockets(pid)
    clients = [Client(g, proxy, i) for i in range(CLIENTS)]
    (g.mount() / "first").write_bytes(b"in fair weather: the bucket is ours")
    g.protect(trust="rem")

    began = time.monotonic()
    proxy.rates = dict.fromkeys(FAULTS, RATE)
    memory = []
    while len(memory) < ROUNDS or (proxy.never() and len(memory) < 3 * ROUNDS):
        run_clients(clients, OPERATIONS // CLIENTS // ROUNDS)
        memory.append(rss(pid))
    proxy.rates = {}
    weather = time.monotonic()
    g.protect(trust="rem")  # fair weather: all that was put off is made up for
    print(f"{weather - began:.1f} s of faults, {time.monotonic() - weather:.1f} s after it; memory {memory}")
    print("operations:", dict(sum((c.done for c in clients), collections.Counter())))
    print("errors that programs saw:", dict(sum((c.errors for c in clients), collections.Counter())))
    print("requests:", dict(proxy.arrived(proxy.since)), "faults:", dict(proxy.injected))
    assert not proxy.never()

    # no wrong byte, no lost object
    for c in clients:
        c.evict(None)
    assert g.status()["by_state"]["dirty"]["files"] == 0
    assert g.status()["by_state"]["remote"]["files"] > 0
    drop_caches()
    for c in clients:
        c.check_all()

    # Every request that arrived is in the ledger, once. One that was sent on a
    # connection that was just ending may be there, too: its outcome is not
    # known, so it is billed.
    def same():
        bill, seen = billed(g), proxy.arrived(proxy.since)
        del seen["restores"]  # billed when one is taken on
        return not seen - bill and (bill - seen).total() <= proxy.doubtful

    try:
        wait_for("the ledger agrees with the server's side", same, 20, 0.5)
    finally:
        print("ledger:", dict(billed(g)), "arrived:", dict(proxy.arrived(proxy.since)), "doubtful:", proxy.doubtful)

    # nothing is left over
    assert sockets(pid) <= before + IN_FLIGHT
    if g.build == PLAIN:  # a sanitizer keeps what is freed
        assert memory[-1] < memory[0] + GROWTH
    g.stop()
    unknown, packs = ledger_and_packs(g)
    dark = [s.objects for s in proxy.log if s.op in CHANGES and s.fault not in HARMLESS]
    assert 0 < unknown <= sum(dark)
    objects = {k.removeprefix("mersey/rem/") for k in g.packs()}
    assert objects <= set(packs), "an object that no row names"
    assert {k for k, state in packs.items() if state == STORED} <= objects
