# SPDX-License-Identifier: Apache-2.0
"""A copy of a gateway, as of a cloned machine, on the same directory store."""
import shutil
import subprocess

from conftest import Gateway, running, wait_for, workdir


def test_the_copy_does_not_serve():
    with running(trusts=("rem",)) as g, workdir() as work:
        p = g.mount() / "f"
        p.write_bytes(b"x" * 1000)
        g.protect(p)
        g.stop()
        copy = Gateway(work, trusts=("rem",))
        for d in ("state", "secrets"):
            shutil.rmtree(work / d)
            subprocess.run(["cp", "-a", "--sparse=always", g.work / d, work / d], check=True)
        text = g.config.read_text()
        for d in ("state", "mnt", "run"):
            text = text.replace(f"_dir: {g.work}/{d}", f"_dir: {work}/{d}")
        copy.config.write_text(text)
        g.start()
        said = f"is used by process {g.worker_pid()} on "
        try:
            copy.start(wait=False)
            wait_for("the copy says why", lambda: said in copy.log())
            copy.proc.wait(30)  # no trust could be started
            assert p.read_bytes() == b"x" * 1000
            g.stop()
            copy.start()  # now it may
            assert (copy.mount() / "f").read_bytes() == b"x" * 1000
            copy.stop()
        finally:
            copy.destroy()
            print(copy.log()[-4000:])
        g.start()
