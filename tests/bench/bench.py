# SPDX-License-Identifier: Apache-2.0
"""The driver of scripts/bench: runs the suites, prints the table."""
import argparse
import json
import pathlib
import platform
import signal
import sys

import lab
import meta
import scale
from subjects import PEERS

SUITES = ("meta", "scale")


def arguments():
    p = argparse.ArgumentParser(prog="scripts/bench")
    p.add_argument("suite", nargs="*", default=["meta"])
    p.add_argument("--work", type=pathlib.Path, required=True)
    p.add_argument("--build", type=pathlib.Path, required=True)
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
        a.suite.append("scale")
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
    server = lab.Server()
    rows, versions = [], {"kernel": platform.release()}
    if "meta" in a.suite:
        counts = meta.QUICK if a.quick else meta.Counts()
        m = meta.Meta(a.work, a.build, server, a.peers, a.runs, counts)
        rows += m.run()
        versions |= m.versions()
    if "scale" in a.suite:
        few = scale.QUICK if a.quick else {}
        m = scale.Scale(a.work, a.build, server, a.runs, **few)
        rows += m.run()
        versions |= m.versions()
    print(lab.table(rows, ["native", "floor", *a.peers]))
    print(", ".join(f"{k} {v}" for k, v in versions.items()))
    if a.json:
        with open(a.json, "w") as f:
            json.dump([r.record(versions) for r in rows], f, indent=1)


if __name__ == "__main__":
    main()
