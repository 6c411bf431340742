# SPDX-License-Identifier: Apache-2.0
"""The verbs as ops and finance use them: screens, JSON, exit codes."""
import json
import os
import re
import subprocess

import pytest

from conftest import CliError, random_bytes, wait_for


@pytest.fixture(scope="module")
def study(gateway):
    d = gateway.mount() / "study"
    d.mkdir()
    for i in range(20):
        (d / f"{i:03}.dcm").write_bytes(random_bytes(50000, i))
    gateway.protect(d)
    return d


def test_status(gateway, study):
    st = gateway.status()
    assert st["trust"] == "rem" and st["name"] == "Trust rem"
    assert st["state"] == "online"
    assert st["files"] >= 21 and st["logical_bytes"] >= 1000000
    assert st["by_state"]["local"]["files"] >= 20
    assert st["unprotected"] == {"files": 0, "bytes": 0, "oldest_at": None, "oldest_seconds": None}
    assert st["cache_size_bytes"] == 1 << 30
    w = st["worker"]
    assert w["pid"] > 0 and w["restarts"] == 0 and w["rss_bytes"] > 0
    assert w["data_path"] in ("passthrough", "splice", "daemon")
    assert st["stores"][0]["tier"] == "near" and st["stores"][0]["state"] == "up"
    rc, out, _ = gateway.screen("status")
    assert rc == 0
    assert re.match(r"TRUST +NAME +STATE +FILES +CACHE +UNPROTECTED +STORES\n", out)
    assert re.search(r"^rem +Trust rem +online", out, re.M)
    rc, out, _ = gateway.screen("status", "rem")
    assert rc == 0 and re.search(r"trust: rem +Trust rem", out) and "state: online" in out


def test_info(gateway, study):
    f = gateway.info(study / "001.dcm")
    assert f["path"] == str(study / "001.dcm")
    assert f["size_bytes"] == 50000 and f["state"] == "local" and f["tier"] == "near"
    assert f["inode"] == os.stat(study / "001.dcm").st_ino
    assert sum(e["bytes"] for e in f["extents"]) == 50000
    assert all("packs/" in e["object"] and e["cached"] for e in f["extents"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", f["protected_at"])
    rc, out, _ = gateway.screen("info", study / "001.dcm")
    assert rc == 0 and "local" in out
    with pytest.raises(CliError) as e:
        gateway.cli("info", gateway.mount() / "missing")
    assert e.value.rc == 1
    with pytest.raises(CliError) as e:
        gateway.cli("info", "/etc/passwd")  # in no trust
    assert e.value.rc == 2


def test_evict_and_recall(gateway, study):
    r = gateway.evict(study)
    assert r["files"] == 20 and r["bytes"] >= 1000000 and r["skipped"] == []
    assert gateway.status()["by_state"]["remote"]["files"] >= 20
    r = gateway.cli("recall", study)
    assert r["files"] == 20 and r["bytes"] == 1000000
    assert gateway.info(study / "001.dcm")["state"] == "local"
    p = gateway.mount() / "not-yet"
    with open(p, "wb") as f:
        f.write(b"x" * 1000)
        r = gateway.evict(p)
        assert r["files"] == 0 and len(r["skipped"]) == 1
        assert r["skipped"][0]["path"] == str(p) and r["skipped"][0]["reason"]
    rc, out, err = gateway.screen("evict", p)
    assert rc in (1, 3, 5)
    assert "not protected" in out + err


def test_wait(gateway):
    p = gateway.mount() / "waited"
    p.write_bytes(b"w" * 70000)
    r = gateway.cli("wait", "--until", "protected", p)
    assert r["files"] == 1 and r["bytes"] == 70000 and r["seconds"] >= 0
    assert gateway.info(p)["state"] == "local"
    gateway.evict(p)
    r = gateway.cli("recall", p)
    gateway.cli("wait", "--until", "local", p)
    assert gateway.info(p)["state"] == "local"


def test_jobs_and_doctor(gateway):
    jobs = {j["job"]: j for j in gateway.cli("jobs", "--trust", "rem")["jobs"]}
    assert {"protect", "evict", "reap", "gc", "ledger"} <= set(jobs)
    checks = gateway.cli("doctor")["checks"]
    assert {c["level"] for c in checks} <= {"ok", "warn", "fail"}
    assert any(c["trust"] == "rem" for c in checks)
    assert not [c for c in checks if c["level"] == "fail"], checks


def test_cost_report(gateway, study):
    wait_for(
        "storage was integrated",
        lambda: any(float(r["total"]["amount"]) > 0 for r in gateway.cli("cost", "report")["rows"]),
        20,
    )
    r = gateway.cli("cost", "report")
    assert r["currency"] == "GBP" and r["estimate"] is True
    total = sum(int(row["total"]["amount"].replace(".", "")) for row in r["rows"])
    assert int(r["totals"]["total"]["amount"].replace(".", "")) == total
    assert {row["trust"] for row in r["rows"]} == {"rem", "rbq"}
    rem = next(row for row in r["rows"] if row["trust"] == "rem")
    assert rem["requests"]["puts"] > 0 and rem["out_bytes"] > 0
    assert r["prices"][0]["table"] == "onprem"
    rc, out, _ = gateway.screen("cost", "report")
    assert rc == 0 and "estimate, not an invoice" in out
    assert re.search(r"^rem +near .*£0\.0*[1-9]", out, re.M), out
    rc, out, _ = gateway.screen("cost", "report", "--format", "csv")
    assert rc == 0 and out.splitlines()[0].startswith("trust,tier,")


def test_config_verbs(gateway, tmp_path):
    assert gateway.cli("config", "check")["errors"] == []
    bad = tmp_path / "bad.yaml"
    bad.write_text(gateway.config.read_text().replace("settle: 1s", "settel: 1s"))
    with pytest.raises(CliError) as e:
        gateway.cli("config", "check", bad)
    assert e.value.rc == 2
    rc, out, err = gateway.screen("config", "check", bad)
    assert rc == 2
    assert re.search(r"bad\.yaml:\d+:\d+: .*settel", out + err)
    assert "settle" in (out + err).replace("settel", "")
    shown = gateway.cli("config", "show", "rem")
    assert json.dumps(shown).count("secrets/rem.key") == 1
    key = (gateway.work / "secrets/rem.key").read_text().split()[1]
    assert key not in json.dumps(shown)
    assert gateway.cli("config", "schema")["$schema"].startswith("https://json-schema.org/")


def test_trust_add_again_changes_nothing(gateway):
    key = (gateway.work / "secrets/rem.key").read_bytes()
    marker = {k: v for k, v in gateway.objects().items() if k.endswith("mersey.json")}
    gateway.stop()
    r = gateway.cli("trust", "add", "rem", "--yes")
    assert r["trust"] == "rem" and r["key_id"]
    assert (gateway.work / "secrets/rem.key").read_bytes() == key
    assert {k: v for k, v in gateway.objects().items() if k.endswith("mersey.json")} == marker
    assert os.path.exists(r["recovery_file"])
    assert os.stat(r["recovery_file"]).st_mode & 0o077 == 0
    gateway.start()
    assert {t["trust"] for t in gateway.cli("trust", "list")["trusts"]} == {"rem", "rbq"}


def test_trust_add_takes_no_emptied_bucket(gateway, study):
    """A bucket without the objects that the database names, as a directory
    looks whose disk is not mounted, gets no marker: files would go there."""
    g = gateway
    g.stop()
    marker = next(g.work.glob("**/rem-mersey/**/mersey.json"))
    bucket = next(p for p in marker.parents if p.name == "rem-mersey")
    aside = bucket.with_name("rem-mersey.aside")
    bucket.rename(aside)
    try:
        with pytest.raises(CliError) as e:
            g.cli("trust", "add", "rem", "--yes")
        assert "another bucket" in str(e.value)
        assert not list(bucket.glob("**/mersey.json"))
    finally:
        subprocess.run(["rm", "-rf", bucket], check=True)
        aside.rename(bucket)
    g.start()


def test_a_key_of_another_trust_is_refused(gateway):
    """Key and bucket belong together (S20): a mix-up is told, not served."""
    g = gateway
    g.stop()
    key = g.work / "secrets/rem.key"
    right = key.read_bytes()
    key.write_bytes((g.work / "secrets/rbq.key").read_bytes())
    n = len(g.log())
    g.start(wait=False)
    try:
        wait_for("the refusal is logged", lambda: "key" in g.log()[n:] and "rem" in g.log()[n:], 20)
        wait_for("the other trust serves", lambda: g.serves("rbq"), 20)
        assert g.cli("status", "--trust", "rem", rc=4) is not None
    finally:
        g.stop()
        key.write_bytes(right)
        g.start()


def test_one_trusts_mistake_does_not_hold_up_the_others(gateway):
    g = gateway
    g.stop()
    key = g.work / "secrets/rem.key"
    key.chmod(0o644)
    n = len(g.log())
    try:
        g.start(wait=False)
        wait_for("the other trust serves", lambda: g.serves("rbq"), 20)
        assert "chmod 600" in g.log()[n:]
        assert "trust 'rem' is not served" in g.log()[n:]
        g.stop()
    finally:
        key.chmod(0o600)
    g.start()


def test_offline_pack_reader(gateway, study, tmp_path):
    """One pack, the key file and the key objects: no daemon, no database."""
    g = gateway
    info = g.info(study / "003.dcm")
    key = info["extents"][0]["object"]
    blobs = g.objects()
    (name,) = [k for k in blobs if k.endswith(os.path.basename(key))]
    pack = tmp_path / "pack"
    pack.write_bytes(blobs[name])
    keys = tmp_path / "keys"
    keys.mkdir()
    for k, v in blobs.items():
        if "/keys/" in k:
            (keys / os.path.basename(k)).write_bytes(v)
    args = ["pack", "list", pack, "--key", g.work / "secrets/rem.key", "--keys", keys]
    r = g.cli(*args)
    listed = {f["path"]: f for f in r["files"]}
    assert listed["study/003.dcm"]["size_bytes"] == 50000
    out = tmp_path / "out"
    out.mkdir()
    args[1] = "extract"
    g.cli(*args, "--out", out)
    for i in range(20):
        p = out / "study" / f"{i:03}.dcm"
        if f"study/{i:03}.dcm" in listed:
            assert p.read_bytes() == random_bytes(50000, i)
    # another trust's key opens nothing
    args[1] = "list"
    args[4] = g.work / "secrets/rbq.key"
    with pytest.raises(CliError) as e:
        g.cli(*args)
    assert e.value.rc == 1


def test_usage(gateway):
    assert gateway.screen()[0] == 2
    assert gateway.screen("evikt")[0] == 2
    assert gateway.screen("status", "--no-such-option")[0] == 2
    rc, out, _ = gateway.screen("help")
    assert rc == 0 and "evict" in out
    for verb in ("status", "info", "jobs", "wait", "evict", "recall", "doctor"):
        rc, out, _ = gateway.screen(verb, "--help")
        assert rc == 0 and verb in out
    rc, out, _ = gateway.screen("help", "json")
    assert rc == 0 and "unprotected" in out
    merseyd = gateway.build / "daemon/main/merseyd"
    for args in (["--help"], ["--version"]):
        assert subprocess.run([merseyd, *args], capture_output=True).returncode == 0
    assert subprocess.run([merseyd, "--nonsense"], capture_output=True).returncode == 2


def test_nothing_answers(gateway):
    gateway.stop()
    rc, out, err = gateway.screen("status")
    assert rc == 4
    assert "offline" in (out + err).lower()
    gateway.start()
