# SPDX-License-Identifier: Apache-2.0
"""mersey metrics: valid text, with figures that are true."""
import os
import pathlib
import re
import stat

import pytest

import promtext
from conftest import drop_caches, random_bytes, wait_for

TOP = pathlib.Path(__file__).resolve().parents[2]


def metrics(g, *args):
    rc, out, err = g.screen("metrics", *args)
    assert rc == 0, err
    return promtext.parse(out)


def test_figures(gateway):
    g = gateway
    d = g.mount() / "m"
    d.mkdir()
    for i in range(4):
        (d / str(i)).write_bytes(random_bytes(300000, i))
    g.protect(d)
    g.evict(d)
    drop_caches()
    before = metrics(g)
    assert (d / "0").read_bytes() == random_bytes(300000, 0)
    assert (d / "0").read_bytes() == random_bytes(300000, 0)
    now = metrics(g)

    def grew(metric, **labels):
        return promtext.value(now, metric, **labels) - promtext.value(before, metric, **labels)

    rem = {"trust": "rem"}
    assert promtext.value(now, "mersey_up", **rem) == 1
    assert promtext.value(now, "mersey_info", name="Trust rem", **rem) == 1
    assert promtext.value(now, "mersey_unprotected_files", **rem) == 0
    assert promtext.value(now, "mersey_unprotected_oldest_seconds", **rem) == 0
    assert promtext.value(now, "mersey_store_up", **rem) == 1
    assert grew("mersey_cache_reads_total", result="miss", **rem) > 0
    assert grew("mersey_recall_asked_bytes_total", **rem) >= 300000
    gets = {"operation": "get", "cause": "read", "trust": "rem"}
    assert grew("mersey_store_requests_total", result="ok", **gets) > 0
    assert grew("mersey_store_billed_requests_total", **gets) > 0
    assert grew("mersey_store_received_bytes_total", cause="read", **rem) >= 300000
    assert promtext.value(now, "mersey_cache_evicted_files_total", **rem) >= 4
    assert promtext.value(now, "mersey_stored_objects", **rem) > 0
    assert promtext.value(now, "mersey_worker_resident_memory_bytes", **rem) > 1 << 20
    assert promtext.value(now, "mersey_writer_active", **rem) == 1
    # one trust's work is not another's
    assert promtext.value(now, "mersey_recall_asked_bytes_total", trust="rbq") == 0
    count = "mersey_store_request_seconds_count"
    times = now["mersey_store_request_seconds"].samples
    assert [v for (n, l), v in times.items() if n == count and gets["operation"] in dict(l).values()]


def test_all_of_the_table(gateway):
    """Whatever can be there is, and nothing that the page does not name."""
    page = (TOP / "man/mersey-metrics.7").read_text()
    named = dict(re.findall(r"^\.It Ic (\w+) Pq Ar (\w+)$", page, re.M))
    now = metrics(gateway)
    assert {n: f.type for n, f in now.items()} == {n: named[n] for n in now}
    # unknown here, or not set: absent, never 0
    absent = {
        "mersey_quota_bytes",
        "mersey_quota_files",
        "mersey_cache_room_seconds",
        "mersey_job_last_failure_timestamp_seconds",
        "mersey_quarantined_objects",
        "mersey_quarantined_bytes",
        "mersey_recall_amplification_ratio",
        "mersey_store_clock_ahead_seconds",
    }
    assert set(named) - set(now) <= absent


def test_file(gateway, tmp_path):
    out = tmp_path / "mersey.prom"
    out.write_text("old")
    kept = open(out)
    rc, text, _ = gateway.screen("metrics", "rem", "--out", out)
    assert rc == 0 and text == ""
    families = promtext.parse(out.read_text())
    assert set(dict(k)["trust"] for f in families.values() for _, k in f.samples) == {"rem"}
    assert stat.S_IMODE(os.stat(out).st_mode) == 0o644
    assert kept.read() == "old"  # replaced, not written over
    assert os.listdir(tmp_path) == ["mersey.prom"]


@pytest.mark.parametrize(
    "bad",
    [
        "a{x=\"1\"} 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"1\"} 1\na{x=\"1\"} 2\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"\\t\"} 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"1\",} 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"1\"}  1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"1\"} one\n",
        "# HELP a b\n# TYPE a counter\na{x=\"1\"} 1\n",
        "# HELP a b\n# TYPE a gauge\na{x=\"1\"} 1",
        "# HELP h b\n# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum{x=\"\"} 1\n",
    ],
)
def test_the_reader_is_strict(bad):
    with pytest.raises((AssertionError, KeyError, AttributeError)):
        promtext.parse(bad)


def test_who_may(gateway):
    rc = gateway.screen("metrics")[0]
    assert rc == 0
    r = wait_for("refused", lambda: refused(gateway), 10)
    assert r["errno"] == "EPERM"


def refused(g):
    return g.cli("metrics", as_uid=61999, rc=5)
