# SPDX-License-Identifier: Apache-2.0
"""merseyd --single TRUST MNT: one trust in one process."""
import os
import signal
import subprocess

from conftest import Gateway, is_mounted, random_bytes, wait_for, workdir


def test_single_as_root():
    with workdir() as work:
        g = Gateway(work, trusts=("rem",))
        g.setup()
        mnt = work / "single"
        mnt.mkdir()
        log = open(g.log_path, "wb")
        p = subprocess.Popen(
            [g.build / "daemon/main/merseyd", "--single", "rem", mnt, "--config", g.config],
            stdout=log, stderr=log, env=g.env(),
        )  # fmt: skip
        try:
            wait_for("mounted", lambda: is_mounted(mnt) or p.poll() is not None, 30)
            assert p.poll() is None, g.log()
            (mnt / "f").write_bytes(random_bytes(100000, 1))
            assert (mnt / "f").read_bytes() == random_bytes(100000, 1)
            wait_for("protected", lambda: len(g.packs()) > 0, 20)
            p.send_signal(signal.SIGTERM)
            assert p.wait(30) == 0
            assert not is_mounted(mnt)
            assert os.listdir(mnt) == []
        finally:
            if p.poll() is None:
                p.kill()
                p.wait()
            subprocess.run(["umount", "-l", mnt], capture_output=True)
        assert not g.sanitizer_reports()
