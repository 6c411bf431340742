# SPDX-License-Identifier: Apache-2.0
"""kill -9 of a worker while a plan is being applied.

Files lie in one tier or in another, whole, and the plan goes on. That is read
from the tiers, not from the cache; and meanwhile files are changed, which have
their new bytes then.
"""
import os
import pathlib
import random
import signal
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from conftest import FULL, CliError, alive, running, wait_for  # noqa: E402

KILLS = 20 if FULL else 4
MIB = 1 << 20
TIERS = [
    {"name": "cool", "bucket": "cool", "keys": "object_size: 1MiB"},
    {"name": "cold", "store": "cold-store", "bucket": "cold", "keys": "object_size: 4MiB"},
]
POLICIES = ["policies:"]
for t in ("cool", "cold"):
    POLICIES += [
        f"  to-{t}:",
        '    file_classes: {all: {path: "/**"}}',
        f"    rules: [{{for: all, do: move, to: {t}}}]",
    ]


def apply(g, plan):
    """In a process of its own, which the kill of the worker ends."""
    return subprocess.Popen(
        [g.build / "daemon/cli/mersey", "--config", g.config, "tier", "apply", plan, "--yes"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=g.env(),
    )  # fmt: skip


def kill(g, p, to, wanted):
    """When so many packs have come. Was it still running?"""
    before = len(g.packs(tier=to))
    wait_for(
        "packs arrive",
        lambda: p.poll() is not None or len(g.packs(tier=to)) >= before + wanted,
        60, 0.001,
    )  # fmt: skip
    pid = g.worker_pid()
    busy = p.poll() is None
    os.kill(pid, signal.SIGKILL)
    p.wait(30)
    wait_for("the old worker is gone", lambda: not alive(pid), 10)
    wait_for("a fresh worker", lambda: g.serves("rem") and g.worker_pid() != pid, 60)
    return busy


def check(g, files):
    g.evict(g.mount())
    for name, data in files.items():
        assert (g.mount() / name).read_bytes() == data, name


def finish(g, plan):
    """The worker goes on with it by itself; and what was changed or read since
    is left out, so it may refuse."""
    try:
        g.cli("tier", "apply", plan, "--yes")
    except CliError as e:
        assert e.rc == 5 or "already" in e.out or "under way" in e.out, e


def test_killed_apply(capsys):
    rng = random.Random(5)
    hit = 0
    with running(trusts=("rem",), settle="1s", tiers=TIERS, policies=POLICIES) as g:
        files = {f"d{i % 3}/{i}": rng.randbytes(rng.choice((10, 30000, 300000))) for i in range(30)}
        files["large"] = rng.randbytes(9 * MIB)
        for name, data in files.items():
            (g.mount() / name).parent.mkdir(exist_ok=True)
            (g.mount() / name).write_bytes(data)
        g.protect()
        for i in range(KILLS):
            to = ("cool", "cold")[i % 2]
            plan = g.cli("tier", "plan", "rem", "--policy", f"to-{to}")["plan"]
            p = apply(g, plan)
            hit += kill(g, p, to, i % 3)
            if i % 2:
                check(g, files)
            changed = f"d1/{rng.choice((1, 4, 7))}"
            files[changed] = rng.randbytes(20000)
            (g.mount() / changed).write_bytes(files[changed])
            finish(g, plan)
            g.protect()
            check(g, files)
            if i % 2:
                g.cli("tier", "run", "rem", "--policy", f"to-{to}", "--yes")
                check(g, files)
                tiers = {n: g.info(g.mount() / n)["tier"] for n in files}
                assert set(tiers.values()) == {to}, tiers
    assert hit > 0, "no run was hit"
    with capsys.disabled():
        print(f"\n   {KILLS} kills, {hit} of them beside a run; nothing lost")
