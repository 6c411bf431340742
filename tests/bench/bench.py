# SPDX-License-Identifier: Apache-2.0
"""The driver of scripts/bench: runs the suites, prints the table."""
import argparse
import json
import pathlib
import platform
import signal
import sys

import cold
import hot
import lab
import meta
import plan
import scale
import seal
import server
import store
import study
from subjects import PEERS

SUITES = {
    "meta": (meta.Meta, meta.Counts(), meta.QUICK),
    "hot": (hot.Hot, hot.Counts(), hot.QUICK),
    "cold": (cold.Cold, cold.Counts(), cold.QUICK),
    "study": (study.Study, study.Counts(), study.QUICK),
    "seal": (seal.Seal, seal.Counts(), seal.QUICK),
    "store": (store.Store, store.Counts(), store.QUICK),
    "plan": (plan.Plan, plan.Counts(), plan.QUICK),
    "scale": (scale.Scale, scale.Counts(), scale.QUICK),
}
USUAL = [s for s in SUITES if s != "scale"]
LARGE = {"plan": plan.FULL}  # counts with --full
SUBJECTS = ["native", "floor", "floor-pt", "curl"]


def arguments():
    p = argparse.ArgumentParser(prog="scripts/bench")
    p.add_argument("suite", nargs="*", default=USUAL)
    p.add_argument("--work", type=pathlib.Path, required=True)
    p.add_argument("--build", type=pathlib.Path, required=True)
    p.add_argument("--dev-s3", type=pathlib.Path, required=True)
    p.add_argument("--peers", default="rclone,s3fs")
    p.add_argument("--json")
    p.add_argument("--runs", type=int, default=3)
    p.add_argument("--quick", action="store_true")
    p.add_argument("--full", action="store_true")
    a = p.parse_args()
    a.peers = [x for x in a.peers.split(",") if x and x != "none"]
    for x in a.peers:
        if x not in PEERS:
            p.error(f"no peer '{x}'; there are: {', '.join(PEERS)}")
    if a.full and "scale" not in a.suite:
        a.suite = [*a.suite, "scale"]
    for x in a.suite:
        if x not in SUITES:
            p.error(f"no suite '{x}'; there are: {', '.join(SUITES)}")
    if a.runs < 1:
        p.error("--runs must be at least 1")
    return a


def terminated(*_):
    """Unwinds, so that nothing stays mounted."""
    sys.exit(143)


def main():
    a = arguments()
    signal.signal(signal.SIGTERM, terminated)
    rows, versions = [], {"kernel": platform.release()}
    for name in a.suite:
        s3 = server.restarted(a.dev_s3, a.work / "s3")
        kind, counts, quick = SUITES[name]
        lab.say(f"suite {name}")
        counts = quick if a.quick else LARGE.get(name, counts) if a.full else counts
        suite = kind(a.work, a.build, s3, a.peers, a.runs, counts)
        rows += suite.run()
        versions |= suite.versions()
    print(lab.table(rows, [*SUBJECTS, *a.peers]))
    print(", ".join(f"{k} {v}" for k, v in versions.items()))
    if a.json:
        with open(a.json, "w") as f:
            json.dump([r.record(versions) for r in rows], f, indent=1)


if __name__ == "__main__":
    main()
