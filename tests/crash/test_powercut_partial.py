# SPDX-License-Identifier: Apache-2.0
"""Power cuts on files of which a part is here (S12).

Readers bring parts of cold files back, files are evicted again, some are
changed and synced. Disk and store are cloned at one instant, again and again:
a fresh gateway on each clone must serve every byte as it was promised, so the
record of what is present was never ahead of what the disk had.

The same without syncs of cache files must show zeros: it proves that the test
can see a record that is ahead.
"""
import concurrent.futures
import contextlib
import os
import pathlib
import random
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from conftest import FULL, CliError, drop_caches, random_bytes, workdir  # noqa: E402

from powercut import disk, live  # noqa: E402

FILES = 10
SIZE = 3 << 20
FRAME = 65536
# What is left out -> how many clones.
CUTS = {None: 60 if FULL else 6, "/cache": 5}
GAP = (0.3, 2.0)


class Client(threading.Thread):
    """Reads parts, and now and then changes a frame; knows what is promised."""

    def __init__(self, s, want, seed):
        super().__init__()
        self.s, self.want, self.rng = s, want, random.Random(seed)
        self.ended, self.error, self.reads = threading.Event(), None, 0
        self.lock = threading.Lock()  # held while a promise is on its way

    def part(self):
        i = self.rng.randrange(FILES)
        off = self.rng.randrange(SIZE)
        n = self.rng.randrange(1, 4 * FRAME)
        with open(self.s.mnt / f"{i}", "rb", buffering=0) as f:
            got = os.pread(f.fileno(), n, off)
        want = self.want[i][off : off + n]
        assert got == want, (i, off, len(got), len(want))
        self.reads += 1

    def change(self):
        """The last of the files only: the others stay as they are."""
        data = self.rng.randbytes(FRAME)
        off = self.rng.randrange(SIZE // FRAME) * FRAME
        with open(self.s.mnt / f"{FILES - 1}", "r+b", buffering=0) as f:
            os.pwrite(f.fileno(), data, off)
            self.want[-1][off : off + FRAME] = data
            os.fsync(f.fileno())

    def durable(self):
        """What was committed so far survives: also what is present."""
        with open(self.s.mnt / "tick", "wb", buffering=0) as f:
            f.write(b"x")
            os.fsync(f.fileno())

    def step(self):
        with self.lock:
            if self.rng.random() < 0.03:
                self.change()
            self.part()
            if self.rng.random() < 0.2:
                self.durable()
        if self.rng.random() < 0.1:
            with contextlib.suppress(CliError):
                self.s.g.evict(self.s.mnt / f"{self.rng.randrange(FILES)}")
        time.sleep(self.rng.random() * 0.02)

    def run(self):
        try:
            while not self.ended.is_set():
                self.step()
        except Exception as e:  # the test looks at it
            self.error = e


def load(s):
    want = [bytearray(random_bytes(SIZE, i)) for i in range(FILES)]
    for i, data in enumerate(want):
        (s.mnt / f"{i}").write_bytes(data)
    s.g.protect(trust="rem")
    s.g.evict(*[s.mnt / f"{i}" for i in range(FILES)])
    drop_caches()
    return want


def take(s, d, client, n, rng):
    """Clones: [(name, what was promised)], each between two steps."""
    taken = []
    for i in range(n):
        time.sleep(rng.uniform(*GAP))
        assert client.error is None, client.error
        with client.lock:
            s.halt()
            d.clone(i)
            s.resume()
            taken.append((i, [bytes(w) for w in client.want]))
    return taken


def check(d, work, s, name, want):
    """(partial files, what is wrong) of one clone."""
    with d.restored(name, work, s.g.work / "secrets") as fresh:
        fresh.start()
        partial = fresh.g.status()["by_state"]["partial"]["files"]
        wrong = []
        for i, data in enumerate(want):
            got = (fresh.mnt / f"{i}").read_bytes()
            if got != data:
                at = next((k for k, (a, b) in enumerate(zip(got, data)) if a != b), len(got))
                wrong.append(f"clone {name}, file {i}: {len(got)} bytes, wrong at {at}: {got[at:at + 8].hex()}")
        fresh.stop()
        return partial, wrong


def cut(work, left_out, seed):
    with disk(work) as d:
        with live(work, d, left_out) as s:
            client = Client(s, load(s), seed)
            client.start()
            try:
                taken = take(s, d, client, CUTS[left_out], random.Random(seed))
            finally:
                s.resume()
                client.ended.set()
                client.join()
        with concurrent.futures.ThreadPoolExecutor(3) as pool:
            jobs = [pool.submit(check, d, work, s, name, want) for name, want in taken]
            results = [j.result() for j in jobs]
        return sum(p for p, _ in results), [w for _, ws in results for w in ws]


def test_power_cut_on_partial_files(capsys):
    seed = int(os.environ.get("MERSEY_SEED", time.time_ns() % 100000))
    with workdir() as work, concurrent.futures.ThreadPoolExecutor(len(CUTS)) as pool:
        jobs = {}
        for i, left_out in enumerate(CUTS):
            (work / f"{i}").mkdir()
            (work / f"{i}").chmod(0o755)
            jobs[left_out] = pool.submit(cut, work / f"{i}", left_out, seed + i)
        results = {k: j.result() for k, j in jobs.items()}
    with capsys.disabled():
        print(f"\n   seed {seed} (MERSEY_SEED)", end="")
        for left_out, (partial, wrong) in results.items():
            print(f"\n   without {left_out or 'nothing'}: {partial} partial files, {len(wrong)} wrong", end="")
        print()
    partial, wrong = results[None]
    assert not wrong, "\n".join(wrong[:20])
    assert partial > 0, "no file was partial when it was cut: this proves nothing"
    assert results["/cache"][1], "nothing was wrong without syncs: this test sees nothing"
