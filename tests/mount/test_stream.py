# SPDX-License-Identifier: Apache-2.0
"""Memory and cache stay bounded while far more streams through (P9)."""
import hashlib
import os
import threading

from conftest import FULL, PLAIN, drop_caches, random_bytes, running, wait_for

CACHE = 256 << 20
FILE = 32 << 20


def rss(pid):
    text = open(f"/proc/{pid}/status").read()
    return int(text.split("VmRSS:")[1].split()[0]) * 1024


def test_stream_through_a_small_cache(capsys):
    total = (20 << 30) if FULL else (2 << 30)
    with running(build=PLAIN, trusts=("rem",), cache_size="256MiB", settle="0s") as g:
        pid = g.worker_pid()
        peak = {"rss": 0, "cache": 0}
        stop = threading.Event()

        def watch():
            cache = g.work / "state/rem/cache"
            while not stop.wait(0.25):
                peak["rss"] = max(peak["rss"], rss(pid))
                used = 0
                for d, _, files in os.walk(cache):
                    for f in files:
                        try:
                            used += os.stat(os.path.join(d, f)).st_blocks * 512
                        except FileNotFoundError:
                            pass
                peak["cache"] = max(peak["cache"], used)

        t = threading.Thread(target=watch)
        t.start()
        try:
            block = random_bytes(FILE, 1)
            want = {}
            for i in range(total // FILE):
                p = g.mount() / f"{i}"
                data = i.to_bytes(8, "little") + block[8:]
                with open(p, "wb") as f:  # slowed down, never refused
                    f.write(data)
                want[p] = hashlib.sha256(data).hexdigest()
            wait_for("all is protected", lambda: g.status()["unprotected"]["files"] == 0, 120, 0.5)
            drop_caches()
            for p in list(want)[:: max(1, len(want) // 16)]:
                assert hashlib.sha256(p.read_bytes()).hexdigest() == want[p]
        finally:
            stop.set()
            t.join()
        assert g.worker_pid() == pid
        assert peak["cache"] <= CACHE + (96 << 20), peak
        assert peak["rss"] <= 512 << 20, peak
        with capsys.disabled():
            print(
                f"\n   streamed {total >> 20} MiB through a cache of {CACHE >> 20} MiB:"
                f" worker RSS at most {peak['rss'] >> 20} MiB,"
                f" cache files at most {peak['cache'] >> 20} MiB"
            )
