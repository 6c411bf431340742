# SPDX-License-Identifier: Apache-2.0
"""16 client processes mix all operations on a trust that ThreadSanitizer
watches, while files are protected, evicted and recalled. It must report
nothing, and every client must have seen what it should."""
import collections
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from conftest import FULL, CliError, Gateway, is_mounted, wait_for, workdir  # noqa: E402

BUILD = pathlib.Path(os.environ["MERSEY_TSAN"]).resolve()
SEED = int(os.environ.get("MERSEY_MODEL_SEED", random.randrange(1 << 32)))
SECONDS = 600 if FULL else 22
OWN, SHARED = 8, 8  # clients
CLIENT = pathlib.Path(__file__).with_name("client.py")


def test_it_would_report():
    """The daemon that is tested is the one with ThreadSanitizer in it."""
    merseyd = (BUILD / "daemon/main/merseyd").read_bytes()
    assert b"__tsan_init" in merseyd


def start_daemon(g, mnt):
    reports = g.work / "tsan"
    reports.mkdir()
    reports.chmod(0o777)  # they are written as the trust's user
    env = g.env() | {
        "TSAN_OPTIONS": f"log_path={reports}/r:halt_on_error=0:second_deadlock_stack=1:exitcode=66"
    }
    log = open(g.log_path, "wb")
    p = subprocess.Popen(
        [BUILD / "daemon/main/merseyd", "--single", "rem", mnt, "--config", g.config],
        stdout=log, stderr=log, env=env,
    )  # fmt: skip
    wait_for("mounted", lambda: is_mounted(mnt) or p.poll() is not None, 60)
    wait_for("serving", lambda: "ready: serving" in g.log(), 60)
    return p


def start_clients(mnt):
    print(f"MERSEY_MODEL_SEED={SEED}")
    (mnt / "shared").mkdir()
    clients = []
    for i in range(OWN + SHARED):
        kind, d = ("own", mnt / f"own{i}") if i < OWN else ("shared", mnt / "shared")
        d.mkdir(exist_ok=True)
        args = [sys.executable, CLIENT, kind, d, str(SEED + i), str(SECONDS)]
        clients.append(subprocess.Popen(args, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    return clients


def stir(g, mnt):
    """What goes on beside the clients; how often."""
    done = collections.Counter()
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for verb in ("evict", "status", "recall", "jobs"):
            try:
                r = g.cli(verb, *([mnt] if verb in ("evict", "recall") else []))
                done[verb] += r.get("files", 1)
            except CliError as e:
                if "ENOENT" not in str(e):  # a directory was removed meanwhile
                    raise
        time.sleep(0.3)
    return done


def outcome(clients):
    counts = collections.Counter()
    failed = []
    for c in clients:
        out, err = c.communicate(timeout=SECONDS + 120)
        if c.returncode:
            failed.append(err.decode(errors="replace")[-4000:])
        else:
            counts.update(json.loads(out))
    assert not failed, "\n".join(failed)
    return counts


def test_clients():
    with workdir() as work:
        # a cache that has to evict by itself, too
        keys = {"settle": "200ms", "cache_size": "48MiB", "build": BUILD}
        g = Gateway(work, trusts=("rem",), **keys).setup()
        mnt = work / "m"
        mnt.mkdir()
        p, clients = None, []
        try:
            p = start_daemon(g, mnt)
            clients = start_clients(mnt)
            done = stir(g, mnt)
            counts = outcome(clients)
            p.send_signal(signal.SIGTERM)
            rc = p.wait(120)
            reports = "".join(f.read_text() for f in (work / "tsan").iterdir())
            assert not reports, reports[:20000]
            assert rc == 0
            assert "damaged" not in g.log()
            print(dict(done), dict(counts))
            assert done["evict"] > 0 and done["recall"] > 0, done
            assert not [op for op, n in counts.items() if n == 0], counts
            assert len(counts) > 40 and sum(counts.values()) > 2000, counts
        finally:
            for c in clients:
                if c.poll() is None:
                    c.kill()
                    c.wait()
            if p and p.poll() is None:
                p.kill()
                p.wait()
            subprocess.run(["umount", "-f", "-l", mnt], capture_output=True)
            print(g.log()[-4000:])
