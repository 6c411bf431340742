# SPDX-License-Identifier: Apache-2.0
"""Policies on a mount: plan, explain, apply; files that change under a plan,
cancel, and kill -9 in the middle of a run that then goes on."""
import json
import os
import signal
import subprocess

import pytest
from conftest import CliError, random_bytes, running, wait_for

TIERS = [
    {"name": "cool", "bucket": "cool"},
    {"name": "cold", "store": "cold-store", "bucket": "cold"},
]
# What each rule moves is a batch of its own, before the second of which a run
# waits for the rate of its policy: some 10 s.
MANY, LINES = 20, 4000
POLICIES = [
    "policies:",
    "  imaging:",
    "    file_classes:",
    '      scratch: {path: ["/scratch/**", "**/*.tmp"]}',
    '      old: {path: "/old/**", size: ">= 1"}',
    '      deep: {path: "/deep/**"}',
    "    rules:",
    "      - {for: scratch, do: keep}",
    "      - {for: old, do: move, to: cool}",
    "      - {for: deep, do: move, to: cold}",
    "  slow:",
    "    file_classes:",
    '      one: {path: "/slow/one/**"}',
    '      two: {path: "/slow/two/**"}',
    "    rules: [{for: one, do: move, to: cool}, {for: two, do: move, to: cold}]",
    "    limits: {rate: 1Mbit/s}",
    "  drop:",
    "    file_classes:",
    '      all: {path: "/drop/**"}',
    "    rules: [{for: all, do: evict}]",
]
MAKE = """
os.makedirs(path, exist_ok=True)
for i in range(n):
    with open(f"{path}/{i}", "wb") as f:
        f.write(b"%d %s\\n" % (i, path.encode()) * size)
"""


@pytest.fixture(scope="module")
def g():
    with running(
        trusts=("rem",), tiers=TIERS, policies=POLICIES, trust_keys=["policy: imaging"]
    ) as gateway:
        yield gateway


def make(g, name, n, size=20):
    """n protected files of some lines each; what is in each."""
    path = str(g.mount() / name)
    g.as_client(MAKE, path=path, n=n, size=size)
    g.protect()
    return {f"{path}/{i}": f"{i} {path}\n" * size for i in range(n)}


READ = """
print(json.dumps({f"{path}/{n}": open(f"{path}/{n}").read() for n in os.listdir(path)}))
"""


def check(g, files, tier=None):
    """All are as they were written, read back from the bucket."""
    paths = list(files)
    g.evict(os.path.dirname(paths[0]))
    assert json.loads(g.as_client(READ, path=os.path.dirname(paths[0]))) == files
    if tier:
        assert {i["tier"] for i in g.cli("info", *paths[:20], *paths[-20:])["files"]} == {tier}


def history(g):
    return g.cli("tier", "history")["runs"]


def test_plan_explain_apply(g):
    files = make(g, "old/first", 60)
    make(g, "scratch", 3)
    before = {t: g.packs(tier=t) for t in ("near", "cool", "cold")}
    p = g.cli("tier", "plan")
    assert [(m["from"], m["to"], m["files"]) for m in p["moves"]] == [("near", "cool", 60)]
    assert p["totals"]["bytes"] == sum(map(len, files.values()))
    assert {t: g.packs(tier=t) for t in before} == before
    rc, out, _ = g.screen("tier", "plan", "rem")
    assert rc == 0 and "near -> cool  (old)" in out and "nothing has been changed" in out

    e = g.cli("tier", "explain", next(iter(files)))
    assert e["matched"] == 2 and [r["result"] for r in e["rules"]] == [False, True, False]
    assert g.cli("tier", "explain", g.mount() / "scratch/1")["matched"] == 1

    done = g.cli("tier", "apply", p["plan"], "--yes")
    assert done["state"] == "done" and done["done"]["files"] == 60 and not done["skipped"]
    assert len(g.packs(tier="cool")) >= 1
    check(g, files, "cool")
    assert {i["tier"] for i in g.cli("info", g.mount() / "scratch/1")["files"]} == {"near"}
    assert not g.cli("tier", "plan")["moves"]
    tiers = {t["tier"]: t for t in g.cli("tier", "list")["tiers"]}
    assert list(tiers) == ["local", "near", "cool", "cold"]
    assert tiers["cool"]["files"] == 60 and tiers["cool"]["objects"] >= 1
    assert history(g)[0]["plan"] == p["plan"] and history(g)[0]["state"] == "done"
    with pytest.raises(CliError) as err:
        g.cli("tier", "apply", p["plan"], "--yes")
    assert err.value.rc == 1 and "done_already" in err.value.out


def test_changed_under_plan(g):
    """Written, deleted, and open for writing between plan and apply."""
    files = make(g, "deep", 200)
    first, second, third = list(files)[:3]
    p = g.cli("tier", "plan")
    g.as_client("open(path, 'w').write('new')", path=first)
    g.as_client("os.unlink(path)", path=second)
    writer = subprocess.Popen(
        ["/usr/bin/python3", "-c", "import sys; f = open(sys.argv[1], 'a'); f.write('more');"
         " f.flush(); print(flush=True); sys.stdin.read()", third],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )
    try:
        writer.stdout.readline()
        done = g.cli("tier", "apply", p["plan"], "--yes")
        left = {s["path"]: s["reason"] for s in done["skipped"]}
        assert done["state"] == "done" and done["done"]["files"] == 197
        assert left.keys() >= {first, third}, left
        assert left[first] == "changed since the plan"
    finally:
        writer.communicate(timeout=20)
    g.protect()
    files[first] = "new"
    files[third] += "more"
    del files[second]
    check(g, files)
    # Now they are protected as they are: the next plan takes the rest.
    done = g.cli("tier", "run", "--yes")
    assert done["runs"][0]["state"] == "done" and done["runs"][0]["files"] == 2
    check(g, files, "cold")


def test_refused(g):
    """More than 2 % of it is another: nothing is moved, exit 5."""
    make(g, "old/again", 20)
    p = g.cli("tier", "plan")
    g.as_client("open(path, 'w').write('new')", path=str(g.mount() / "old/again/7"))
    before = g.packs(tier="cool")
    rc, _, err = g.screen("tier", "apply", p["plan"], "--yes")
    assert rc == 5 and "is out of date" in err and "try: mersey tier plan" in err
    assert g.packs(tier="cool") == before
    assert g.screen("tier", "apply", p["plan"])[0] == 5  # nobody to ask
    g.protect()
    assert g.cli("tier", "run", "--yes")["runs"][0]["state"] == "done"


def test_evict(g):
    files = make(g, "drop", 5)
    assert all(g.info(p)["state"] == "local" for p in files)
    r = g.cli("tier", "run", "--policy", "drop", "--yes")["runs"][0]
    assert r["state"] == "done" and r["files"] == 5 and r["bytes"] > 0
    assert all(g.info(p)["state"] == "remote" for p in files)
    check(g, files)


def begin_slow(g):
    """A run in another process, that has done its first batch and waits."""
    plan = g.cli("tier", "plan", "--policy", "slow")["plan"]
    before = [r["run"] for r in history(g)]
    proc = subprocess.Popen(
        [g.build / "daemon/cli/mersey", "--config", g.config, "tier", "apply", plan, "--yes"],
        env=g.env(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )

    def first_batch():
        return [r for r in history(g) if r["run"] not in before and r["files"]]

    run = wait_for("the first batch", first_batch, 60)[0]
    assert run["state"] == "running" and run["files"] == MANY
    return plan, run["run"], proc


def ended(g, run):
    r = next(r for r in history(g) if r["run"] == run)
    return r if r["state"] != "running" else None


def two_batches(g):
    return make(g, "slow/one", MANY, LINES), make(g, "slow/two", MANY, LINES)


def test_cancel(g):
    """What was cancelled is gone on with, and every byte is there."""
    one, two = two_batches(g)
    plan, run, proc = begin_slow(g)
    with pytest.raises(CliError):
        g.cli("tier", "apply", plan, "--yes")  # one at a time
    assert [r["run"] for r in g.cli("tier", "cancel")["runs"]] == [run]
    out = proc.communicate(timeout=60)[0].decode()
    assert proc.returncode == 3 and "cancelled" in out and plan in out, out
    assert ended(g, run)["state"] == "cancelled" and ended(g, run)["files"] == MANY
    assert {g.info(p)["tier"] for p in list(two)[:3]} == {"near"}
    # (Who reads a file now takes it out of the plan.)
    r = g.cli("tier", "apply", plan, "--yes")
    assert r["state"] == "done" and r["done"]["files"] == MANY
    check(g, one, "cool")
    check(g, two, "cold")


def test_killed(g):
    """Its client and then its worker killed in the middle: the run goes on by
    itself, in the same row."""
    g.as_client("os.rename(a, b)", a=str(g.mount() / "slow"), b=str(g.mount() / "were"))
    one, two = two_batches(g)
    _, run, proc = begin_slow(g)
    proc.kill()
    proc.communicate(timeout=20)
    os.kill(g.worker_pid(), signal.SIGKILL)
    wait_for("it is served again", lambda: g.serves("rem"), 60)
    r = wait_for("the run went on", lambda: ended(g, run), 90)
    assert r["state"] == "done" and r["files"] == 2 * MANY and r["errors"] == 0
    wait_for("the mount", lambda: os.path.ismount(g.mount()), 30)
    check(g, one, "cool")
    check(g, two, "cold")
