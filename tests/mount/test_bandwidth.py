# SPDX-License-Identifier: Apache-2.0
"""A trust's transfers stay within the bandwidth of its timetable."""
import time

from conftest import drop_caches, random_bytes, running

RATE = 1000000
SIZE = 2 * RATE


def test_bandwidth():
    rules = "[{up: 1MB/s, down: 1MB/s}]"
    with running(trusts=("rem",), bandwidth=rules) as g:
        assert g.status()["bandwidth"] == {
            "up_bytes_per_second": RATE,
            "down_bytes_per_second": RATE,
        }
        assert "1MB/s up" in g.screen("status", "rem")[1]
        d = g.mount()

        # the second object begins when the first one is paid for
        t = time.monotonic()
        for name in ("a", "b"):
            (d / name).write_bytes(random_bytes(SIZE, ord(name)))
            g.protect(d / name)
        assert time.monotonic() - t > 1

        g.evict(d)
        drop_caches()
        t = time.monotonic()
        for name in ("a", "b"):
            assert (d / name).read_bytes() == random_bytes(SIZE, ord(name))
        assert time.monotonic() - t > 1
