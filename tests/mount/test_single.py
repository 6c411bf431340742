# SPDX-License-Identifier: Apache-2.0
"""merseyd --single TRUST MNT: one trust in one process."""
import os

from conftest import Gateway, is_mounted, random_bytes, single, wait_for, workdir


def test_single_as_root():
    with workdir() as work:
        g = Gateway(work, trusts=("rem",))
        g.setup()
        with single(g) as mnt:
            assert is_mounted(mnt)
            (mnt / "f").write_bytes(random_bytes(100000, 1))
            assert (mnt / "f").read_bytes() == random_bytes(100000, 1)
            wait_for("protected", lambda: len(g.packs()) > 0, 20)
        assert not is_mounted(mnt)
        assert os.listdir(mnt) == []
