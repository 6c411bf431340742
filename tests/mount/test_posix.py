# SPDX-License-Identifier: Apache-2.0
"""What programs expect of a local filesystem, as root and as other uids.

The kernel checks permissions; these tests prove that together with what the
daemon does the rules of POSIX come out.
"""
import os

import pytest

from conftest import CLIENT

USER, OTHER = CLIENT["rem"], 61002


@pytest.fixture(scope="module")
def top(gateway):
    """A directory that every uid may use."""
    os.chmod(gateway.mount(), 0o755)
    d = gateway.mount() / "posix"
    d.mkdir()
    d.chmod(0o777)
    return d


@pytest.fixture
def here(top, request):
    d = top / request.node.name
    d.mkdir()
    d.chmod(0o777)
    return d


def mode(path):
    return os.lstat(path).st_mode & 0o7777


# ---- set-id bits and capabilities

CHANGES = {
    "write": "fd = os.open(p, os.O_WRONLY); os.write(fd, b'x')",
    "second": "fd = os.open(p, os.O_WRONLY); os.write(fd, b'x'); os.chmod(p, m); os.write(fd, b'y')",
    "truncate": "os.truncate(p, 3)",
    "ftruncate": "fd = os.open(p, os.O_WRONLY); os.ftruncate(fd, 20000)",
    "open": "os.open(p, os.O_WRONLY | os.O_TRUNC)",
    "fallocate": "fd = os.open(p, os.O_WRONLY); os.posix_fallocate(fd, 0, 20000)",
    "copy": "a = os.open(p + '-from', os.O_RDWR | os.O_CREAT); os.write(a, b'abc')\n"
    "b = os.open(p, os.O_RDWR); assert os.copy_file_range(a, b, 3, 0, 0) == 3",
}


@pytest.mark.parametrize("how", CHANGES)
def test_a_change_clears_set_id_bits(gateway, here, how):
    for before, after in ((0o6755, 0o755), (0o6745, 0o2745), (0o4600, 0o600)):
        p = here / f"{before:o}"
        p.write_bytes(b"0123456789")
        os.chown(p, USER, USER)
        p.chmod(before)
        gateway.as_client(CHANGES[how], p=str(p), m=before)
        assert mode(p) == after, f"{how} {before:o}"


def test_root_keeps_set_id_bits(here):
    p = here / "f"
    p.write_bytes(b"0123456789")
    p.chmod(0o6755)
    with open(p, "r+b") as f:
        f.write(b"x")
        f.flush()
        os.posix_fallocate(f.fileno(), 0, 20000)
    os.truncate(p, 3)
    assert mode(p) == 0o6755


def test_chown_clears_set_id_bits(gateway, here):
    for before, after in ((0o6755, 0o755), (0o2745, 0o2745), (0o4644, 0o644)):
        p = here / f"{before:o}"
        p.write_bytes(b"")
        p.chmod(before)
        os.chown(p, USER, USER)
        assert mode(p) == after, f"{before:o}"
    d = here / "d"
    d.mkdir()
    d.chmod(0o2755)
    os.chown(d, USER, USER)
    assert mode(d) == 0o2755


# cap_net_raw=p, as setcap(8) writes it
CAPS = bytes.fromhex("0000000200200000000000000000000000000000")


@pytest.mark.parametrize("how", [*CHANGES, "chown"])
def test_a_change_removes_capabilities(here, how):
    p = here / "f"
    p.write_bytes(b"0123456789")
    os.setxattr(p, "security.capability", CAPS)
    assert os.getxattr(p, "security.capability") == CAPS
    code = "os.chown(p, 1, 1)" if how == "chown" else CHANGES[how]
    exec(code, {"os": os, "p": str(p), "m": 0o644})
    assert "security.capability" not in os.listxattr(p)
