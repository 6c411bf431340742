# SPDX-License-Identifier: Apache-2.0
"""Real DICOM files: each study has objects of its own, whatever its directories."""
import os
import pathlib
import random
import shutil
from collections import defaultdict

import pydicom
import pytest
from pydicom.data import get_testdata_file

from conftest import random_bytes, running

pytestmark = pytest.mark.filterwarnings("ignore")  # the samples are as they were found

SAMPLES = pathlib.Path(get_testdata_file("DICOMDIR")).parent  # seven studies
LETTERS = 12


@pytest.fixture(scope="module")
def gateway():
    """Nothing settles by itself: `wait` takes all that is there."""
    with running(settle="1h") as g:
        yield g


def header(path):
    ds = pydicom.dcmread(path, force=True, stop_before_pixels=True)
    return ds.get("StudyInstanceUID"), int(ds.get("SeriesNumber") or 0), int(ds.get("InstanceNumber") or 0)


@pytest.fixture(scope="module")
def copied(gateway):
    """The samples in the mount, in no order, beside letters: {path: (study, series, number)}."""
    top = gateway.mount() / "archive"
    files = sorted(p for p in SAMPLES.rglob("*") if p.is_file())
    random.Random(7).shuffle(files)
    want = {}
    for i, p in enumerate(files):
        to = top / p.relative_to(SAMPLES)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(p, to)
        want[str(to.relative_to(gateway.mount()))] = header(p)
        if i < LETTERS:
            letter = to.parent / f"letter{i}.pdf"
            letter.write_bytes(random_bytes(9000, i))
            want[str(letter.relative_to(gateway.mount()))] = (None, 0, 0)
    gateway.protect()
    return want


def lists(g, tmp_path):
    """What each pack holds, in its order, by `mersey pack list`."""
    keys = tmp_path / "keys"
    keys.mkdir()
    blobs = g.objects()
    for k, v in blobs.items():
        if "/keys/" in k:
            (keys / os.path.basename(k)).write_bytes(v)
    got = []
    for k, v in blobs.items():
        if "/packs/" in k:
            (tmp_path / "pack").write_bytes(v)
            args = ["--key", g.work / "secrets/rem.key", "--keys", keys]
            r = g.cli("pack", "list", tmp_path / "pack", *args)
            got.append([f["path"] for f in r["files"]])
    return got


def test_packs_by_study(gateway, copied, tmp_path):
    packs = lists(gateway, tmp_path)
    assert sorted(p for pack in packs for p in pack) == sorted(copied)
    held = defaultdict(int)
    for pack in packs:
        studies = {copied[p][0] for p in pack}
        assert len(studies) == 1, pack
        held[studies.pop()] += 1
        places = [copied[p][1:] for p in pack]
        assert places == sorted(places) or copied[pack[0]][0] is None
    # all are small: one object for each study, and one for the rest
    assert len(held) == 8 and set(held.values()) == {1}, held


def test_info(gateway, copied):
    for path, (study, _, _) in copied.items():
        f = gateway.info(gateway.mount() / path)
        assert f["study_uid"] == study
        if study:
            ds = pydicom.dcmread(gateway.mount() / path, force=True, stop_before_pixels=True)
            assert f["patient_id"] == ds.PatientID
            assert ds.Modality in f["modality"].split("\\")
    rc, out, _ = gateway.screen("info", gateway.mount() / path)
    assert rc == 0 and "study" not in out.replace(path, "") if not study else study in out


def test_comes_back(gateway, copied):
    """Byte for byte, after everything was evicted."""
    r = gateway.evict(gateway.mount() / "archive")
    assert not r["skipped"]
    for p in sorted(SAMPLES.rglob("*")):
        if p.is_file():
            assert (gateway.mount() / "archive" / p.relative_to(SAMPLES)).read_bytes() == p.read_bytes()


def test_edited_into_another_study(gateway, copied):
    """The header of the new bytes counts, and a restart in between changes nothing."""
    path = next(p for p, at in copied.items() if at[0])
    p = gateway.mount() / path
    ds = pydicom.dcmread(p, force=True)
    ds.StudyInstanceUID = "1.2.826.0.1.3680043.8.498.99"
    tmp = gateway.work / "edited.dcm"
    ds.save_as(tmp)
    p.write_bytes(tmp.read_bytes())
    gateway.stop()
    gateway.start()
    gateway.protect(p)
    assert gateway.info(p)["study_uid"] == "1.2.826.0.1.3680043.8.498.99"
    assert p.read_bytes() == tmp.read_bytes()
