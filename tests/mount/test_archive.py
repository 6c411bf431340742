# SPDX-License-Identifier: Apache-2.0
"""Files in an archive class, behind a proxy that archives as AWS does.

What programs see, what people are told before they pay, clinic lists, pins and
the budget.
"""
import datetime
import errno
import os
import signal
import subprocess
import time

import pytest
from conftest import CliError, is_mounted, new_buckets, random_bytes, running, wait_for
from faultproxy import Archive, FaultProxy

POLICY = [
    "policies:",
    "  freeze:",
    '    file_classes: {all: {path: "/**"}}',
    "    rules: [{for: all, do: move, to: cold}]",
]
LATER = 3600  # nothing comes back before the test says so


@pytest.fixture(scope="module")
def gateway(s3):
    host, port = s3["endpoint"].rsplit("/", 1)[-1].split(":")
    with FaultProxy((host, int(port)), archive=Archive(wait=LATER)) as proxy:
        with running(
            store="s3",
            s3=s3,
            buckets=new_buckets(s3),
            endpoint=proxy.endpoint,
            trusts=("rem",),
            prices="aws-eu-west-2",
            settle="1h",
            tiers=[{"name": "cold", "class": "DEEP_ARCHIVE"}],
            policies=POLICY,
            trust_keys=["policy: freeze", "recall_wait: 2s", "budget: £0.10/month"],
        ) as g:
            g.proxy = proxy
            yield g


def freeze(g, name, data):
    """A file whose bytes are in the archive class, and not here."""
    path = g.mount() / name
    path.write_bytes(data)
    g.protect(path)
    g.cli("tier", "run", "rem", "--yes")
    g.evict(path)
    assert g.info(path)["state"] == "archived"
    assert g.info(path)["storage_class"] == "DEEP_ARCHIVE"
    return path


def thaw(g):
    """The store has brought all that was ordered."""
    a = g.proxy.archive
    for path, (_, until) in list(a.restored.items()):
        a.restored[path] = (time.monotonic(), until)


def test_read(gateway):
    """Not now, never an error of the disk, never zeros; then the bytes."""
    data = random_bytes(300000, 1)
    path = freeze(gateway, "a", data)
    began = time.monotonic()
    for _ in range(2):
        with pytest.raises(OSError) as e:
            path.read_bytes()
        assert e.value.errno == errno.ETIMEDOUT
    assert time.monotonic() - began < 20
    wait_for("it is on its way", lambda: gateway.info(path)["state"] == "recalling")
    assert gateway.info(path)["recall"]["seconds"] > 11 * 3600
    assert len(gateway.proxy.archive.restored) == 1
    assert os.listdir(gateway.mount())  # nobody else waits
    thaw(gateway)
    wait_for("its bytes", lambda: read_or_none(path) == data, 60)
    assert gateway.info(path)["state"] in ("partial", "local")
    assert gateway.info(path)["recall"] is None


def read_or_none(path):
    try:
        return path.read_bytes()
    except OSError as e:
        assert e.errno == errno.ETIMEDOUT
        return None


def test_reader_is_killed(gateway):
    """Who gives up is let go, and leaves an order."""
    path = freeze(gateway, "b", random_bytes(200000, 2))
    reader = subprocess.Popen(["cat", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for("it is on its way", lambda: gateway.info(path)["state"] == "recalling")
    reader.send_signal(signal.SIGKILL)
    assert reader.wait(10) in (1, -signal.SIGKILL)  # it may have had its answer


def test_recall(gateway):
    """It costs nothing to ask; it is ordered once, and comes by itself."""
    data = random_bytes(400000, 3)
    path = freeze(gateway, "c", data)
    before = len(gateway.proxy.archive.restored)
    r = gateway.cli("recall", "--dry-run", str(path))
    assert (r["files"], r["archived_files"], r["archived_bytes"]) == (0, 1, len(data))
    assert r["requests"] >= 1 and float(r["cost"]["amount"]) > 0 and r["cost"]["currency"] == "GBP"
    with pytest.raises(CliError) as e:  # there is nobody to ask
        gateway.cli("recall", str(path))
    assert e.value.rc == 5
    assert len(gateway.proxy.archive.restored) == before
    r = gateway.cli("recall", "--yes", str(path))
    assert r["archived_files"] == 1
    wait_for("the order", lambda: len(gateway.proxy.archive.restored) == before + 1)
    pins = gateway.cli("pin", "list")["pins"]
    assert [p["cause"] for p in pins if p["path"] == str(path)] == ["recall"]
    thaw(gateway)
    r = gateway.cli("recall", "--wait", "--yes", str(path))
    assert r["files"] == 1 and r["at_risk"] == []
    assert gateway.info(path)["state"] == "local" and path.read_bytes() == data
    assert len(gateway.proxy.archive.restored) == before + 1
    gateway.cli("unpin", str(path))


def test_pin(gateway):
    path = freeze(gateway, "d", random_bytes(100000, 4))
    r = gateway.cli("pin", "--until", "2099-12-31", "--yes", str(path))
    assert r["archived_files"] == 1 and r["pins"][0]["until"] == "2100-01-01T00:00:00Z"
    wait_for("the order", lambda: gateway.info(path)["state"] == "recalling")
    thaw(gateway)
    gateway.cli("recall", "--wait", "--yes", str(path))
    assert gateway.info(path)["pinned_until"] == "2100-01-01T00:00:00Z"
    r = gateway.cli("evict", str(path), rc=3)
    assert r["skipped"][0]["reason"] == "pinned"
    assert gateway.cli("unpin", str(path))["files"] == 1
    gateway.evict(path)
    assert gateway.info(path)["state"] == "recalling"  # its copy can be read


def clinic(g, tmp_path, rows, *options, rc=0):
    path = tmp_path / "clinic.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(["Patient ID,Appointment Time", *rows]).encode())
    return g.cli("recall", "--clinic-list", str(path), *options, rc=rc)


def when(hours):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_clinic_list(gateway, tmp_path):
    """Priors in time, and which are not; no budget is in its way."""
    import pydicom
    from pydicom.data import get_testdata_file

    ds = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    paths = []
    for i, patient in enumerate(("P 1", "P2")):
        ds.PatientID, ds.StudyInstanceUID = patient, f"1.2.3.{i}"
        p = gateway.mount() / f"{patient}.dcm"
        ds.save_as(p)
        paths.append(p)
    gateway.protect(*paths)
    gateway.cli("tier", "run", "rem", "--yes")
    gateway.evict(*paths)
    rows = [f'"P 1",{when(30)}', f"P2,{when(1)}", f"nobody,{when(1)}"]
    r = clinic(gateway, tmp_path, rows, "--dry-run", rc=3)
    assert [p["state"] for p in r["patients"]] == ["coming", "at_risk", "unknown"]
    assert r["archived_files"] == 2 and float(r["cost"]["amount"]) > 0
    assert gateway.info(paths[0])["state"] == "archived"
    r = clinic(gateway, tmp_path, rows, "--yes", rc=3)
    assert [p["studies"] for p in r["patients"]] == [1, 1, 0]
    for p in paths:
        wait_for("the order", lambda p=p: gateway.info(p)["state"] == "recalling")
    rc, out, _ = gateway.screen("recall", "--clinic-list", str(tmp_path / "clinic.csv"), "--dry-run")
    assert rc == 3 and out.startswith("ready by ") and ": 1 of 2, cost £" in out and "at risk: P2 at " in out
    assert "1 of the list have no studies here" in out
    thaw(gateway)
    gateway.cli("recall", "--wait", "--yes", *map(str, paths))
    r = clinic(gateway, tmp_path, rows[:2])
    assert [p["state"] for p in r["patients"]] == ["ready", "ready"]
    causes = {p["cause"] for p in gateway.cli("pin", "list")["pins"]}
    assert "clinic-list" in causes


def test_bad_list(gateway, tmp_path):
    with pytest.raises(CliError) as e:
        clinic(gateway, tmp_path, [f"P1,{when(1)}", "P2,tomorrow"])
    assert e.value.rc == 2 and "line 3: 'tomorrow' is no time" in str(e.value)


def test_budget(gateway, tmp_path):
    """It stops people's orders, and says what is used; programs' reads go on."""
    path = freeze(gateway, "e", random_bytes(100000, 5))
    gateway.proxy.archive.wait = LATER
    text = gateway.config.read_text()
    gateway.stop()
    gateway.config.write_text(text.replace("£0.10/month", "£0.0000000001/month"))
    gateway.start()
    with pytest.raises(CliError) as e:
        gateway.cli("recall", "--yes", str(path))
    assert e.value.rc == 5 and "budget" in str(e.value)
    assert gateway.info(path)["state"] == "archived"
    assert read_or_none(path) is None
    wait_for("the order", lambda: gateway.info(path)["state"] == "recalling")
    assert is_mounted(gateway.mount())
