# SPDX-License-Identifier: Apache-2.0
"""scripts/bench still runs: its suites with a handful of files, and its
arithmetic. The figures mean nothing here."""
import pathlib
import sys

import pydicom
import pytest
from conftest import BUILD, workdir

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))
import cold  # noqa: E402
import dicom  # noqa: E402
import hot  # noqa: E402
import lab  # noqa: E402
import meta  # noqa: E402
import plan  # noqa: E402
import scale  # noqa: E402
import seal  # noqa: E402
import server  # noqa: E402
import store  # noqa: E402
import study  # noqa: E402
import subjects  # noqa: E402

KEYS = [
    "suite", "work", "value", "unit", "native", "floor", "floors", "curl", "peers", "ratio",
    "target", "met", "runs", "versions",
]  # fmt: skip
MIB = 1 << 20


@pytest.fixture
def quick(monkeypatch):
    """Not at rest for long, and the machine's caches left alone."""
    monkeypatch.setattr(lab, "STILL_SECONDS", 0.01)
    for m in (lab, meta, scale, subjects):
        monkeypatch.setattr(m, "drop_caches", lambda what=2: None)
    monkeypatch.setattr(hot, "empty_pages", lambda tops: None)


def run(kind, counts, runs=1):
    with workdir() as work:
        rows = kind(work, BUILD, server.Server(), [], runs, counts).run()
    for r in rows:
        assert list(r.record({})) == KEYS
        assert r.median("mersey") is not None
    return rows


def values(rows):
    return {r.work: r.record({})["value"] for r in rows}


def test_suite_meta(s3, quick):
    rows = run(meta.Meta, meta.Counts(files=50, create=8, peer_create=4, peer_files=4))
    got = values(rows)
    assert got.pop("requests to the store by it") == 0
    assert len(got) == 11 and all(v > 0 for v in got.values())
    for name in [s for s in ("floor", "floor-pt") if s in rows[0].got]:
        missing = [r.work for r in rows if not r.median(name)]
        assert missing == ["requests to the store by it"]


def test_suite_hot(s3, quick):
    rows = run(hot.Hot, hot.Counts(MIB, 40, 64, 5, 4, 4, 4096))
    assert len(rows) == 6
    for r in rows:
        assert r.median("native") > 0 and r.median("floor") > 0 and r.median("mersey") > 0


def test_suite_cold(s3, quick):
    rows = run(cold.Cold, cold.Counts(MIB, 1, MIB, 4, 5))
    got = values(rows)
    assert len(got) == 6 and all(v > 0 for v in got.values())
    assert [r.work for r in rows if r.median("curl") is None] == [
        "random 64 KiB reads, 20 ms: fetched",
        "random 64 KiB reads, 20 ms: p50",
    ]
    # a round trip, at the least: what is cold comes from far away
    assert got["first 64 KiB, 20 ms"] >= 20
    assert got["random 64 KiB reads, 20 ms: fetched"] > 0.5


def test_suite_study(s3, quick):
    got = values(run(study.Study, study.Counts(files=8, peer_files=8)))
    assert len(got) == 8 and all(v > 0 for v in got.values())


def test_suite_seal(s3, quick):
    counts = seal.Counts(MIB, 2, 2, MIB, 16, documents=10)
    got = values(run(seal.Seal, counts))
    assert len(got) == 6 and all(v > 0 for v in got.values())
    assert got["PUTs to protect 10 x 8 KiB"] <= 4


def test_suite_store(s3, quick):
    rows = run(store.Store, store.Counts(packs=2, frames=16))
    assert len(rows) == 6
    for r in rows:
        assert r.median("mersey") > 0 and r.median("curl") > 0


def test_dicom_study(tmp_path):
    """As others read it: one study, several series, in order."""
    paths = dicom.write_study(tmp_path, "study", 7, study=3)
    read = [pydicom.dcmread(tmp_path / p) for p in paths]
    assert len({d.StudyInstanceUID for d in read}) == 1
    assert len({d.SOPInstanceUID for d in read}) == 7
    assert [(d.SeriesNumber, d.InstanceNumber) for d in read] == [
        (1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (2, 3), (3, 1),
    ]  # fmt: skip
    for d in read:
        assert d.file_meta.TransferSyntaxUID == dicom.EXPLICIT_LITTLE
        assert (d.Modality, d.Rows, d.Columns) == ("CT", 512, 512)
        assert len(d.PixelData) == 512 << 10
    assert read[0].PixelData != read[1].PixelData


def test_caches_are_emptied():
    """The page cache holds a file that was read, and then it does not."""
    with workdir() as work:
        path = work / "f"
        path.write_bytes(b"x" * MIB)
        assert lab.resident_bytes([path]) == MIB
        lab.empty_pages([work])
        assert lab.resident_bytes([path]) == 0


def test_many_files(s3, quick):
    got = values(run(scale.Scale, scale.Counts(small=50, large=2300, samples=40)))
    assert got["lookup p50, 2,300 files"] > 0
    assert got["start until the first reply, 2,300 files"] > 0
    assert got["worker's peak memory"] > 0
    assert got["lookups during a full scan"] > 0
    assert got["a full scan of 2,300 files"] > 0


def test_suite_plan(s3, quick):
    got = values(run(plan.Plan, plan.Counts(files=1500, samples=40)))
    assert len(got) == 5 and all(v > 0 for v in got.values())


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


def test_the_best_of_several():
    t = lab.Target
    r = row(
        t(">=", 1, "best-floor"), t(">=", 2, "best-peer"), mersey=[10], rclone=[5], s3fs=[4],
        native=[99], curl=[99], floor=[7], **{"floor-pt": [9]},
    )  # fmt: skip
    assert r.median("best-floor") == 9 and r.median("best-peer") == 5
    assert r.verdict() is True
    record = r.record({})
    assert record["floor"] == 9 and record["floors"] == {"floor": 7, "floor-pt": 9}
    assert record["curl"] == 99 and record["peers"] == {"rclone": 5, "s3fs": 4}
    r.unit = "ms"  # the least is the best
    assert r.median("best-floor") == 7 and r.median("best-peer") == 4
    assert row(mersey=[1]).median("best-peer") is None
