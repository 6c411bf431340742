# SPDX-License-Identifier: Apache-2.0
"""What one trust's people and processes cannot do to another trust."""
import os

import pytest

from conftest import CLIENT, SERVICE, CliError


def attempt(g, code, trust, **names):
    """Runs code as the trust's client; the name of the errno it ended with."""
    body = "\n".join("    " + line for line in code.splitlines())
    text = (
        "import errno\n"
        f"try:\n{body}\n    print('done')\n"
        "except OSError as e:\n    print(errno.errorcode[e.errno])\n"
    )
    return g.as_client(text, trust, **names).strip()


CODES = {
    "list": "os.listdir(p)",
    "read": "open(p + '/f').read()",
    "stat": "os.stat(p + '/f')",
    "write": "open(p + '/new-' + str(os.getuid()), 'w').close()",
    "enter": "os.chdir(p)",
}


@pytest.mark.parametrize("what", CODES)
def test_other_trusts_users_stay_out(gateway, what):
    g = gateway
    p = str(g.mount())
    g.as_client("open(p + '/f', 'w').write('x')", p=p)
    os.stat(g.mount() / "f")  # the names are in the kernel's cache now (S28)
    assert attempt(g, CODES[what], "rem", p=p) == "done"  # positive control
    assert attempt(g, CODES[what], "rbq", p=p) == "EACCES"


@pytest.mark.parametrize("what", ["state", "bucket", "secrets"])
def test_state_directories_are_closed(gateway, what):
    g = gateway
    d = g.work / what if what == "secrets" else g.work / what / "rem"
    assert attempt(g, "os.listdir(p)", "rem", p=str(d)) == "EACCES"
    assert attempt(g, "os.listdir(p)", "rbq", p=str(d)) == "EACCES"


def test_workers_run_as_their_own_accounts(gateway):
    for t in ("rem", "rbq"):
        pid = gateway.worker_pid(t)
        text = open(f"/proc/{pid}/status").read()
        fields = dict(l.split(":\t", 1) for l in text.splitlines() if ":\t" in l)
        assert set(fields["Uid"].split()) == {str(SERVICE[t])}
        assert set(fields["Gid"].split()) == {str(SERVICE[t])}
        assert fields["Groups"].split() in ([], [str(SERVICE[t])])
        for cap in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(fields[cap], 16) == 0, cap
        assert fields["NoNewPrivs"].strip() == "1"
        # no descriptor of the other trust or of a secret
        other = "rbq" if t == "rem" else "rem"
        for fd in os.listdir(f"/proc/{pid}/fd"):
            try:
                target = os.readlink(f"/proc/{pid}/fd/{fd}")
            except FileNotFoundError:
                continue
            assert f"/{other}" not in target and "secrets" not in target, target


def test_secrets_are_not_on_command_lines(gateway):
    g = gateway
    key = (g.work / "secrets" / "rem.key").read_text().split()[1]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            blob = open(f"/proc/{pid}/cmdline", "rb").read() + open(f"/proc/{pid}/environ", "rb").read()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        assert key.encode() not in blob


def test_new_objects_belong_to_the_caller(gateway):
    p = gateway.mount() / "mine"
    gateway.as_client("open(p, 'w').close()\nos.mkdir(p + '.d')\nos.symlink('x', p + '.l')", p=str(p))
    for q in (p, f"{p}.d", f"{p}.l"):
        st = os.lstat(q)
        assert (st.st_uid, st.st_gid) == (CLIENT["rem"], CLIENT["rem"])


def test_control_socket_refuses_strangers(gateway):
    with pytest.raises(CliError) as e:
        gateway.cli("evict", gateway.mount(), as_uid=CLIENT["rbq"])
    assert e.value.rc == 5
    assert '"not_allowed"' in e.value.out


def test_nothing_in_the_bucket_names_anything(gateway):
    g = gateway
    p = g.mount() / "PATIENT-SMITH-J-1947"
    secret = b"Hospital number 4711 Smith John " * 1000
    p.write_bytes(b"\0" * 128 + b"DICM" + secret)
    g.protect(p)
    blobs = g.objects()
    assert blobs
    for key, blob in blobs.items():
        for word in (b"DICM", b"SMITH", b"Smith John", b"PATIENT", b"Trust rem", b"mnt/rem"):
            assert word not in blob, key
        if key.startswith("mersey/rem/"):  # the configured prefix names the trust
            key = key[len("mersey/rem/") :]
        assert "rem" not in key.replace("mersey", "") and "SMITH" not in key


def test_root_comes_from_the_config(gateway):
    st = os.stat(gateway.mount())
    assert (st.st_uid, st.st_gid, st.st_mode & 0o7777) == (CLIENT["rem"], CLIENT["rem"], 0o770)
