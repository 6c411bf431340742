# SPDX-License-Identifier: Apache-2.0
"""Keys are nowhere but where they are used: no message, answer, command line
or file has them, and what a core dump would have of a process has none."""
import pathlib
import re
import signal

import pytest

from conftest import PLAIN, new_buckets, running, wait_for

NEW = "another-secret-key-0123456789abcdefghij"


def mappings(pid):
    """(from, to, flags) of what a process has mapped for itself."""
    at = None
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if m := re.match(r"([0-9a-f]+)-([0-9a-f]+) r[w-]", line):
            at = int(m[1], 16), int(m[2], 16)
        elif line.startswith("VmFlags:") and at:
            yield *at, line.split()[1:]
            at = None
        elif re.match(r"[0-9a-f]+-", line):
            at = None


def found(pid, secrets):
    """Which secrets are in the memory that is dumped, and in that which is not."""
    dumped, kept = set(), set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for start, end, flags in mappings(pid):
            try:
                mem.seek(start)
                data = mem.read(end - start)
            except (OSError, ValueError, OverflowError):
                continue  # [vvar] and the like
            hits = {name for name, s in secrets.items() if s in data}
            (kept if "dd" in flags else dumped).update(hits)
    return dumped, kept


def command_lines():
    for p in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield p.read_bytes()
        except OSError:
            pass  # it has ended


@pytest.fixture(scope="module")
def used(s3):
    """A trust that has done all that takes keys; as it is installed, since
    sanitizers keep what was freed."""
    with running(
        store="s3", s3=s3, trusts=("rem",), buckets=new_buckets(s3), build=PLAIN
    ) as g:
        p = str(g.mount() / "a")
        g.as_client("open(p, 'wb').write(os.urandom(300000))", p=p)
        g.protect(p)
        g.evict(p)
        g.as_client("open(p, 'rb').read()", p=p)
        access, secret = s3["users"]["rem"]
        g.write_credentials("rem", access, NEW)
        g.proc.send_signal(signal.SIGHUP)
        wait_for("the new key is in use", lambda: "new credentials of store" in g.log())
        g.as_client("open(p, 'w').write('b')", p=str(g.mount() / "b"))
        wait_for("the store refuses it", lambda: g.status()["stores"][0]["error"])
        yield g


@pytest.fixture(scope="module")
def secrets(used, s3):
    root = (used.work / "secrets/rem.key").read_text().split()[1]
    return {
        "secret key": NEW.encode(),
        "secret key before it": s3["users"]["rem"][1].encode(),
        "root key": bytes.fromhex(root),
        "root key as text": root.encode(),
    }


def test_memory_of_the_worker(used, secrets):
    dumped, kept = found(used.worker_pid(), secrets)
    assert not dumped
    # The control: it is found where it is needed, and what was exchanged is
    # not there any more.
    assert kept == {"secret key", "root key"}


def test_memory_of_the_supervisor(used, secrets):
    here = b"merseyd.pid"  # the control: this much is found
    dumped, kept = found(used.proc.pid, {**secrets, "path": here})
    assert dumped == {"path"} and not kept


VERBS = [
    ("status", "rem"),
    ("doctor",),
    ("jobs",),
    ("metrics",),
    ("config", "show"),
    ("config", "check"),
    ("trust", "list"),
    ("cost", "report"),
]


def test_what_is_said(used, secrets):
    said = used.log()
    for verb in VERBS:
        for form in ((), ("--json",)):
            rc, out, err = used.screen(*verb, *form)
            assert rc in (0, 3), (verb, err)
            said += out + err
    for name, s in secrets.items():
        assert s not in said.encode(), name
    assert "SignatureDoesNotMatch" in said  # there was something to say


def test_command_lines(used, secrets):
    lines = list(command_lines())
    assert any(b"--worker" in line for line in lines)
    for name, s in secrets.items():
        assert not any(s in line for line in lines), name


def test_files(used, secrets):
    """None but the secrets' own."""
    looked = 0
    for p in used.work.rglob("*"):
        if not p.is_file() or p.is_relative_to(used.work / "secrets"):
            continue
        if p.is_relative_to(used.work / "mnt") or p.stat().st_size > 1 << 24:
            continue  # clients' files; room that is kept
        data, looked = p.read_bytes(), looked + 1
        for name, s in secrets.items():
            assert s not in data, (name, p)
    assert looked > 5
