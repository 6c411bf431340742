# SPDX-License-Identifier: Apache-2.0
"""scripts/bench still runs: its suites with a handful of files, and its
arithmetic. The figures mean nothing here."""
import pathlib
import sys

import pytest
from conftest import BUILD, workdir

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import lab  # noqa: E402
import meta  # noqa: E402
import scale  # noqa: E402

KEYS = [
    "suite", "work", "value", "unit", "native", "floor", "curl", "peers", "ratio",
    "target", "met", "runs", "versions",
]  # fmt: skip


@pytest.fixture
def quick(monkeypatch):
    """Not at rest for long, and the machine's caches left alone."""
    monkeypatch.setattr(lab, "STILL_SECONDS", 0.01)
    monkeypatch.setattr(lab, "drop_caches", lambda what=2: None)
    for m in (meta, scale):
        monkeypatch.setattr(m, "drop_caches", lambda what=2: None)


def values(rows):
    return {r.work: r.record({})["value"] for r in rows}


def test_suite_meta(s3, quick):
    counts = meta.Counts(files=50, create=8, peer_create=4, peer_files=4)
    with workdir() as work:
        rows = meta.Meta(work, BUILD, lab.Server(), [], 1, counts).run()
    got = values(rows)
    assert got.pop("requests to the store by it") == 0
    assert len(got) == 11 and all(v > 0 for v in got.values())
    for r in rows:
        assert list(r.record({})) == KEYS
        assert r.median("mersey") is not None
    floor = [r.work for r in rows if not r.median("floor")]
    assert floor == ["requests to the store by it"]


def test_many_files(s3, quick):
    with workdir() as work:
        s = scale.Scale(work, BUILD, lab.Server(), 1, small=50, large=2300, samples=40)
        got = values(s.run())
    assert got["lookup p50, 2,300 files"] > 0
    assert got["start until the first reply, 2,300 files"] > 0
    assert got["worker's peak memory"] > 0
    assert got["lookups during a full scan"] > 0
    assert got["a full scan of 2,300 files"] > 0


def row(*targets, **got):
    r = lab.Row("meta", "work", "files/s", targets)
    for subject, values_of in got.items():
        for v in values_of:
            r.add(subject, v)
    return r


def test_median_ratio_and_verdict():
    t = lab.Target
    r = row(t(">=", 0.8, "floor"), mersey=[90, 1, 100], floor=[100, 900, 110])
    assert r.median("mersey") == 90 and r.ratio() == 90 / 110
    assert r.verdict() is True
    assert row(t(">=", 0.9, "floor"), mersey=[89], floor=[100]).verdict() is False
    # a reference that was not measured leaves it open, unless another fails
    assert row(t(">=", 5, "rclone"), mersey=[89]).verdict() is None
    two = t(">=", 5, "rclone"), t("<=", 80)
    assert row(*two, mersey=[89]).verdict() is False
    assert row(t("<=", 90), mersey=[89]).verdict() is True
    record = row(t(">=", 4, "rclone"), mersey=[89], rclone=[10]).record({"a": "1"})
    assert record["peers"] == {"rclone": 10} and record["floor"] is None
    assert record["target"] == ">= 4 x rclone" and record["met"] is True
