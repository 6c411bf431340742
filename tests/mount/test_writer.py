# SPDX-License-Identifier: Apache-2.0
"""One bucket, one writer (S22): a copy of a gateway beside it."""
import contextlib
import os
import random
import signal
import subprocess
import time

import pytest

from conftest import Gateway, new_buckets, random_bytes, wait_for, workdir


def copy_of(g, work):
    """A gateway that was copied to another directory, as a disk image is."""
    for d in ("state", "secrets"):
        subprocess.run(["cp", "-a", g.work / d, work / d], check=True)
    os.symlink(g.work / "bucket", work / "bucket")
    h = Gateway(work, store=g.store, s3=g.s3, trusts=g.trusts, **g.keys)
    h.config.write_text(
        h.config.read_text()
        .replace("name: gw1.test", "name: gw2.test")
        .replace(f"path: {work}/bucket", f"path: {g.work}/bucket")
    )
    return h


@contextlib.contextmanager
def copied(**keys):
    """gw1, which has claimed the bucket, and its copy gw2; both stand still."""
    with workdir() as one, workdir() as other:
        g = Gateway(one, trusts=("rem",), **keys)
        h = None
        try:
            g.setup().start()
            (g.mount() / "old").write_bytes(random_bytes(50000, 1))
            g.protect()
            g.stop()
            h = copy_of(g, other)
            yield g, h
            for x in (g, h):
                x.stop()
                assert not x.sanitizer_reports()
        finally:
            for x in (g, h):
                if x is not None:
                    x.destroy()
                    print(x.log()[-4000:])


@contextlib.contextmanager
def two(s3, **keys):
    """Both serve; gw1 writes the bucket."""
    with copied(store="s3", s3=s3, buckets=new_buckets(s3), **keys) as (g, h):
        g.start()
        wait_for("gw1 holds the bucket", lambda: writer(g)["state"] == "holder")
        h.start()
        wait_for("gw2 sees that", lambda: writer(h)["state"] == "elsewhere")
        yield g, h


def writer(g):
    return g.status()["writer"]


def changes(g):
    """PUTs and DELETEs that the gateway ever sent (its ledger: a second)."""
    time.sleep(1.5)
    rows = g.cli("cost", "report")["rows"]
    return sum(int(r["requests"][k]) for r in rows for k in ("puts", "deletes"))


def problems(g):
    doc = subprocess.run(
        [g.build / "daemon/cli/mersey", "--config", g.config, "status", "rem"],
        capture_output=True,
        env=g.env(),
        timeout=60,
    )
    return doc.returncode, doc.stdout.decode()


def generations(g):
    keys = [k.rsplit("/", 1)[1] for k in g.objects() if "gen/" in k]
    return sorted(int(k, 16) for k in keys)


@pytest.fixture
def pair(s3):
    with two(s3) as p:
        yield p


def test_loser_writes_nothing(pair):
    g, h = pair
    # The copy serves, takes changes, keeps them, and says why.
    assert (h.mount() / "old").read_bytes() == random_bytes(50000, 1)
    (h.mount() / "new").write_bytes(random_bytes(70000, 2))
    rc, text = problems(h)
    assert rc == 3 and "gw1.test" in text and "mersey store unlock rem" in text
    assert writer(h)["held_by"] == "gw1.test"
    packs = set(g.packs())
    sent = changes(h)
    assert h.status()["unprotected"]["files"] == 1
    # Asked what it would do, it does nothing; without a word it does not either.
    r = h.cli("store", "unlock", "rem", "--dry-run")
    assert (r["held_by"], r["ours"], r["taken"]) == ("gw1.test", False, False)
    assert r["generation"] == writer(g)["generation"]
    error = h.cli("store", "unlock", "rem", rc=5)
    assert error["code"] == "not_confirmed"
    assert writer(h)["state"] == "elsewhere"
    assert changes(h) == sent and set(g.packs()) == packs

    # It takes over: gw1 finds out when it next wants to write.
    before = changes(g)
    r = h.cli("store", "unlock", "rem", "--yes")
    assert r["taken"] and r["held_by"] == "gw1.test"
    assert r["generation"] == writer(h)["generation"] == generations(h)[-1]
    time.sleep(2.5)  # gw1's last look may be so old
    (g.mount() / "late").write_bytes(random_bytes(90000, 3))
    wait_for("gw1 is read-only", lambda: writer(g)["state"] == "superseded")
    wait_for("it knows whose", lambda: writer(g)["held_by"] == "gw2.test")
    wait_for("it is an alarm", lambda: "superseded" in [a["code"] for a in g.cli("alarms")["alarms"]])
    h.protect()
    assert changes(g) == before
    assert g.status()["unprotected"]["files"] == 1
    assert (g.mount() / "late").read_bytes() == random_bytes(90000, 3)
    rc, text = problems(g)
    assert rc == 3 and "gw2.test" in text and "DEGRADED" in text
    # What gw2 wrote carries its generation.
    mine = {int(k.rsplit("/", 1)[1].split("-")[0], 16) for k in set(h.packs()) - packs}
    assert mine == {r["generation"]}

    # And back: nothing of gw1's was lost.
    r = g.cli("store", "unlock", "rem", "--yes")
    assert r["held_by"] == "gw2.test"
    g.protect()
    assert g.status()["state"] == "online"
    wait_for("quarantine", lambda: writer(g)["quarantined"])
    assert writer(g)["quarantined"]["objects"] == len(mine_packs(h, packs, mine))
    assert g.cli("store", "unlock", "rem", "--yes")["ours"]
    assert generations(g) == list(range(2, generations(g)[-1] + 1))


def mine_packs(h, packs, gens):
    return [
        k for k in set(h.packs()) - packs if int(k.rsplit("/", 1)[1].split("-")[0], 16) in gens
    ]


def test_one_after_the_other():
    """A directory store lets nobody in beside its gateway, but after it."""
    with copied() as (g, h):
        g.start()
        wait_for("gw1 holds the bucket", lambda: writer(g)["state"] == "holder")
        g.stop()
        h.start()
        wait_for("gw2 sees that", lambda: writer(h)["state"] == "elsewhere")
        assert writer(h)["held_by"] == "gw1.test"
        packs, sent = set(h.packs()), changes(h)
        (h.mount() / "new").write_bytes(random_bytes(70000, 2))
        wait_for("it is unprotected", lambda: h.status()["unprotected"]["files"] == 1)
        assert changes(h) == sent and set(h.packs()) == packs
        assert h.cli("store", "unlock", "rem", "--yes")["held_by"] == "gw1.test"
        h.protect()
        h.stop()
        for _ in range(2):  # again after another start of it
            g.start()
            wait_for("gw1 sees that", lambda: writer(g)["state"] == "elsewhere")
            assert writer(g)["held_by"] == "gw2.test"
            g.stop()


def test_loser_deletes_nothing(s3):
    """gw1 has something to delete when it is superseded, and does not know."""
    with two(s3, delete_after="8s") as (g, h):
        (g.mount() / "old").write_bytes(random_bytes(50000, 4))
        old = set(g.packs())
        g.protect()
        h.cli("store", "unlock", "rem", "--yes")
        kept = set(g.packs())
        assert old < kept, "the pack of the old version must still be there"
        assert writer(g)["state"] == "holder"
        # Its gc asks before it deletes.
        wait_for("gw1 is read-only", lambda: writer(g)["state"] == "superseded", 40)
        time.sleep(2)
        assert kept <= set(g.packs())


def test_killed_while_it_claims():
    rng = random.Random(22)
    with workdir() as work:
        g = Gateway(work, trusts=("rem",))
        try:
            g.setup()
            for _ in range(4):
                g.start(wait=False)
                time.sleep(rng.uniform(0.02, 0.5))
                kill_all(g)
            g.start()
            wait_for("it goes on by itself", lambda: writer(g)["state"] == "holder")
            (g.mount() / "f").write_bytes(random_bytes(1000, 5))
            g.protect()
            found = generations(g)
            assert found == list(range(2, found[-1] + 1))
            assert writer(g)["generation"] == found[-1]
            jobs = [j["job"] for j in g.cli("jobs")["jobs"]]
            assert "writer" in jobs and len(jobs) == len(set(jobs))
            g.stop()
            assert not g.sanitizer_reports()
        finally:
            g.destroy()


def kill_all(g):
    """kill -9 of the supervisor and of the processes it started."""
    pid = g.proc.pid
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        pids = [int(p) for p in f.read().split()]
    for p in [pid, *pids]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(p, signal.SIGKILL)
    g.proc.wait(20)
    g.proc = None
    wait_for("its children are gone", lambda: not any(os.path.exists(f"/proc/{p}") for p in pids))
    subprocess.run(["umount", "-l", g.mount()], capture_output=True)
