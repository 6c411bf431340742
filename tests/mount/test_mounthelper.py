# SPDX-License-Identifier: Apache-2.0
"""A trust through mount(8), fstab's way, and through `mersey mount`."""
import contextlib
import errno
import fcntl
import os
import pathlib
import signal
import subprocess

import pytest

from conftest import CLIENT, SERVICE, Gateway, is_mounted, random_bytes, wait_for, workdir

HELPER = pathlib.Path("/sbin/mount.fuse.mersey")


class Mounter:
    """One trust, not served by a supervisor, with a mount point beside it."""

    def __init__(self, work):
        self.g = Gateway(work, trusts=("rem",)).setup()
        self.mnt = self.g.work / "other" / "rem"
        self.mnt.mkdir(parents=True)
        self.lock_file = self.g.work / "run/rem.lock"

    def run(self, *args, rc=0, **kw):
        kw.setdefault("env", self.g.env())
        r = subprocess.run(
            [str(a) for a in args], capture_output=True, text=True, timeout=90, **kw
        )
        assert r.returncode == rc, (args, r.returncode, r.stdout, r.stderr)
        return r.stdout + r.stderr

    def helper(self, *args, trust="rem", rc=0, config=True, **kw):
        """Calls the helper as mount(8) does."""
        o = ["-o", f"rw,config={self.g.config}"] if config else []
        merseyd = self.g.build / "daemon/main/merseyd"
        return self.run(HELPER.name, trust, self.mnt, *o, *args, rc=rc, executable=merseyd, **kw)

    def umount(self):
        self.run("umount", self.mnt)

    def pid(self):
        return int(self.lock_file.read_text().split()[0])

    def log(self):
        return (self.g.work / "run/rem.log").read_text()

    def gone(self):
        wait_for("the daemon has ended", lambda: self.lock_file.read_text() == "", 60)

    def options(self):
        with open("/proc/self/mountinfo") as f:
            (line,) = [l for l in f if f" {self.mnt} " in l]
        before, after = line.split(" - ")
        return set(before.split()[5].split(",")) | set(after.split()[2].split(","))


@contextlib.contextmanager
def mounter():
    with workdir() as work:
        m = Mounter(work)
        try:
            yield m
            if m.lock_file.exists():
                if is_mounted(m.mnt):
                    m.umount()
                m.gone()
            logs = [m.g.log_path, m.g.work / "run/rem.log"]
            text = "".join(p.read_text() for p in logs if p.exists())
            assert "Sanitizer" not in text and "runtime error" not in text, text
        finally:
            for _ in range(3):
                if is_mounted(m.mnt):
                    subprocess.run(["umount", "-f", "-l", m.mnt], check=False)


@pytest.fixture(scope="module")
def m():
    with mounter() as m:
        yield m


@pytest.fixture
def installed(m):
    """mount(8) looks for helpers in /sbin only."""
    if HELPER.is_symlink() and not HELPER.exists():
        HELPER.unlink()  # a test's that was killed
    mine = not HELPER.exists()
    if mine:
        HELPER.symlink_to(m.g.build / "daemon/main/merseyd")
    try:
        yield
    finally:
        if mine:
            HELPER.unlink()


def test_mount_8(m, installed):
    """What fstab and test suites do; it serves when mount(8) returns."""
    o = f"config={m.g.config},noatime,noexec,_netdev,nofail,x-systemd.automount"
    m.run("mount", "-t", "fuse.mersey", "-o", o, "rem", m.mnt)
    assert {"nosuid", "nodev", "noexec", "noatime"} <= m.options()
    (m.mnt / "f").write_bytes(random_bytes(100000, 1))
    assert (m.mnt / "f").read_bytes() == random_bytes(100000, 1)
    atime = os.stat(m.mnt / "f").st_atime_ns
    assert (m.mnt / "f").read_bytes() and os.stat(m.mnt / "f").st_atime_ns == atime
    script = m.mnt / "x"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    with pytest.raises(PermissionError):
        subprocess.run([script], check=False)

    out = m.run("mount", "-t", "fuse.mersey", "-o", f"config={m.g.config}", "rem", m.mnt, rc=32)
    assert f"trust 'rem' is mounted on '{m.mnt}' already" in out

    m.run("mount", "-o", "remount,ro", m.mnt)  # with what the mount table says
    assert "ro" in m.options() and "noexec" in m.options()
    with pytest.raises(OSError) as e:
        (m.mnt / "f").write_bytes(b"")
    assert e.value.errno == errno.EROFS
    m.run("mount", "-t", "fuse.mersey", "-o", "remount,rw", "rem", m.mnt)
    (m.mnt / "f").write_bytes(b"again")
    m.umount()


def test_fstab(m, installed):
    """A line of fstab; unmounted by the name that the mount table shows. In a
    mount namespace of its own: others on this machine may mount a "rem", too."""
    fstab = m.g.work / "fstab"
    fstab.write_text(f"rem {m.mnt} fuse.mersey config={m.g.config},_netdev,noauto,user 0 0\n")
    todo = f"""
        mount -T {fstab} {m.mnt}
        touch {m.mnt}/by-fstab
        umount mersey:rem
        test ! -e {m.mnt}/by-fstab
        mount -t fuse.mersey -o config={m.g.config} mersey:rem {m.mnt}
        test -e {m.mnt}/by-fstab
        umount {m.mnt}
    """
    m.run("unshare", "-m", "sh", "-ec", todo)


def test_mounts_again_at_once(m, installed):
    """The one before may still be closing its database."""
    for i in range(4):
        m.run("mount", "-t", "fuse.mersey", "-o", f"config={m.g.config}", "rem", m.mnt)
        (m.mnt / f"again{i}").write_bytes(random_bytes(500000, i))
        for j in range(i):
            assert (m.mnt / f"again{j}").read_bytes() == random_bytes(500000, j)
        m.umount()


def test_waits_for_its_turn(m):
    """A holder of the trust that ends is waited for, not stumbled over."""
    m.gone()
    with open(m.lock_file, "r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        held.write(f"{os.getpid()}\n{m.mnt}\n")
        held.flush()
        r, w = os.pipe()
        child = subprocess.Popen(
            [HELPER.name, "rem", str(m.mnt), "-o", f"config={m.g.config}"],
            executable=m.g.build / "daemon/main/merseyd",
            stdout=w,
            stderr=w,
        )
        os.close(w)
        with pytest.raises(subprocess.TimeoutExpired):
            child.wait(1)
        assert not is_mounted(m.mnt)
        held.truncate(0)
    assert child.wait(60) == 0
    assert os.read(r, 100) == b""  # its end: nobody who stays keeps the pipe
    os.close(r)
    assert is_mounted(m.mnt)
    m.umount()


def test_read_only(m):
    m.helper()
    (m.mnt / "ro").write_bytes(b"text")
    os.utime(m.mnt / "ro", (1, 1))
    m.umount()
    m.helper("-o", "ro")
    for call in (
        lambda: (m.mnt / "new").mkdir(),
        lambda: (m.mnt / "ro").unlink(),
        lambda: os.chmod(m.mnt / "ro", 0o600),
        lambda: os.setxattr(m.mnt / "ro", "user.x", b"1"),
        lambda: open(m.mnt / "ro", "r+"),
    ):
        with pytest.raises(OSError) as e:
            call()
        assert e.value.errno == errno.EROFS
    assert (m.mnt / "ro").read_bytes() == b"text"
    assert os.stat(m.mnt / "ro").st_atime_ns == 10**9
    m.umount()


def test_wrong_usage(m):
    """mount(8)'s codes: 1 for its user's mistakes, 32 when it failed."""
    assert "there is no mount option 'bogus'" in m.helper("-o", "bogus", rc=1)
    m.helper("extra", rc=1)
    m.helper("-t", "ext4", rc=1)
    out = m.helper(trust="nope", rc=32)
    assert "there is no trust 'nope'" in out and "mersey trust list" in out
    out = m.helper("-o", "config=/none.yaml", config=False, rc=32)
    assert "/none.yaml" in out
    (m.mnt / "hidden").touch()
    assert "not empty" in m.helper(rc=32)
    (m.mnt / "hidden").unlink()
    m.helper("-f")  # all but the mount
    assert not is_mounted(m.mnt)
    m.helper("-s", "-n", "-v", "-o", f"bogus,log={m.g.work}/own.log")
    m.umount()
    m.gone()
    assert "ready: serving" in (m.g.work / "own.log").read_text()


def test_not_set_up():
    with workdir() as work:
        g = Gateway(work, trusts=("rem",))
        (work / "mnt/rem").mkdir()
        r = subprocess.run(
            [g.build / "daemon/cli/mersey", "--config", g.config, "mount", "rem", work / "mnt/rem"],
            capture_output=True,
            text=True,
            env=g.env(),
            timeout=60,
        )
        assert r.returncode == 1
        assert "mersey trust add rem" in r.stderr
        assert not is_mounted(work / "mnt/rem")


def test_killed_daemon(m):
    """kill -9: the mount ends with it, and the next one works."""
    m.helper()
    (m.mnt / "kept").write_bytes(b"k")
    os.kill(m.pid(), signal.SIGKILL)
    wait_for("the mount is gone", lambda: not is_mounted(m.mnt), 30)
    m.helper()
    assert (m.mnt / "kept").read_bytes() == b"k"
    m.umount()


def test_verbs_find_it_elsewhere(m):
    """`mersey mount` says where; paths below it name the trust."""
    g = m.g
    r = g.cli("mount", "rem", m.mnt, "-o", "noexec")
    assert r == {"trust": "rem", "path": str(m.mnt)}
    assert "noexec" in m.options()
    (m.mnt / "d").mkdir()
    (m.mnt / "d/f").write_bytes(random_bytes(300000, 7))
    assert g.info(m.mnt / "d/f")["path"] == str(m.mnt / "d/f")
    g.protect(m.mnt / "d")
    assert g.evict(m.mnt / "d")["files"] == 1
    assert g.info(m.mnt / "d/f")["state"] == "remote"
    assert g.cli("recall", m.mnt / "d/f")["files"] == 1
    assert (m.mnt / "d/f").read_bytes() == random_bytes(300000, 7)
    link = g.work / "link"
    link.symlink_to(m.mnt)
    assert g.info(link / "d/f")["state"] == "local"
    with open(m.mnt / "d/f", "ab") as f:
        f.write(b"x")
        (skipped,) = g.evict(m.mnt / "d")["skipped"]
    assert skipped["path"] == str(m.mnt / "d/f")
    # below the config's own mount point, where it is not mounted, too
    assert g.info(g.mount() / "d/f")["path"] == str(m.mnt / "d/f")
    rc, _, err = g.screen("mount", "rem", m.mnt)
    assert rc == 1 and "already" in err
    m.umount()
    m.gone()
    rc, out, _ = g.screen("mount", "rem", m.mnt)
    assert rc == 0 and f"rem is served on {m.mnt}" in out
    m.umount()
    assert g.screen("mount", "nope", m.mnt)[0] == 2


def test_foreground(m):
    m.gone()
    p = subprocess.Popen(
        [m.g.build / "daemon/cli/mersey", "--config", m.g.config, "mount", "rem", m.mnt,
         "--foreground", "-o", "ro"],
        stderr=subprocess.PIPE, text=True, env=m.g.env(),
    )  # fmt: skip
    try:
        wait_for("mounted", lambda: is_mounted(m.mnt) or p.poll() is not None, 30)
        assert m.options() >= {"ro", "nosuid"}
        assert m.pid() == p.pid
        p.send_signal(signal.SIGTERM)
        assert p.wait(30) == 0
        assert "ready: serving" in p.stderr.read()
        assert not is_mounted(m.mnt)
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()


def test_beside_the_supervisor(m):
    """Who serves the trust keeps it; a second process is told."""
    g = m.g
    g.start()
    try:
        out = m.helper(rc=32)
        assert f"'{g.mount()}' already" in out
        assert g.serves("rem")
    finally:
        g.stop()
    m.helper()
    m.umount()


# A machine as fusermount3(1) wants it, for one command and what it starts:
# an account with a name, and a device that everybody may open.
PLAIN_USER = """
set -e
cp /etc/passwd "$0/passwd"
echo "plain:x:$1:$1::/:/bin/sh" >>"$0/passwd"
mount --bind "$0/passwd" /etc/passwd
mknod "$0/fuse" c 10 229
chmod 666 "$0/fuse"
mount --bind "$0/fuse" /dev/fuse
exec setpriv --reuid "$1" --regid "$1" --clear-groups sh -ec "$2"
"""


def test_plain_user():
    """Through fusermount3, for that user only."""
    uid = 60990
    with workdir() as work:
        g = Gateway(work, trusts=("rem",))
        text = g.config.read_text()
        for other in (SERVICE["rem"], CLIENT["rem"]):
            text = text.replace(f"'{other}'", f"'{uid}'")
        g.config.write_text(text)
        (work / "m").mkdir()
        for d in [work, *work.rglob("*")]:
            os.chown(d, uid, uid)
        g.cli("trust", "add", "rem", "--yes", as_uid=uid)
        mersey = f"{g.build}/daemon/cli/mersey --config {g.config}"
        todo = f"""
            {mersey} mount rem {work}/m -o ro,noatime
            grep ' {work}/m ' /proc/self/mountinfo
            ! touch {work}/m/f
            fusermount3 -u {work}/m
            {mersey} mount rem {work}/m
            echo text >{work}/m/f
            cat {work}/m/f
            {mersey} info {work}/m/f
            {mersey} status rem
            fusermount3 -u {work}/m
        """
        r = subprocess.run(
            ["unshare", "-m", "sh", "-c", PLAIN_USER, work, str(uid), todo],
            capture_output=True, text=True, timeout=120, env=g.env(),
        )  # fmt: skip
        assert r.returncode == 0, r.stdout + r.stderr
        assert f"user_id={uid}" in r.stdout and "noatime" in r.stdout
        assert "Read-only file system" in r.stderr
        assert "\ntext\n" in r.stdout
        assert "by the worker: root did not mount it" in r.stdout
        wait_for("it ended", lambda: (work / "run/rem.lock").read_text() == "", 60)
