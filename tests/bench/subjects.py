# SPDX-License-Identifier: Apache-2.0
"""What is measured: each subject is a directory to work in, the processes
behind it, and how it starts and ends. A new peer is a class here, named in
PEERS."""
import os
import pathlib
import re
import shutil
import subprocess
import sys


from lab import drop_caches, rest, version_of, wait_for

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mount"))
from conftest import Gateway, is_mounted  # noqa: E402


def worker_peak(pid):
    """The most memory that a process had, in MiB."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text).group(1)) / 1024


class Subject:
    """`root` is where clients work; `pids` are what must come to rest."""

    name = version = None
    pids = []

    def start(self):
        pass

    def stop(self):
        pass

    def holds(self):
        """Directories below which its bytes lie on the disk."""
        return [self.root]


class Native(Subject):
    """The filesystem that the cache and the work directory lie on."""

    name = "native"

    def __init__(self, work):
        self.root = work / "native"
        self.root.mkdir()
        with open("/proc/self/mounts") as f:
            mounts = [line.split()[:3] for line in f]
        dev = os.stat(work).st_dev
        for _, where, kind in mounts:
            if os.path.exists(where) and os.stat(where).st_dev == dev:
                self.version = f"{kind}, Linux {os.uname().release}"


class Mounted(Subject):
    """A daemon that serves a mount point until it is unmounted."""

    def __init__(self, work):
        self.work = work / self.name
        self.root = self.work / "mnt"
        self.root.mkdir(parents=True)
        self.proc = None

    def command(self):
        raise NotImplementedError

    def start(self):
        with open(self.work / "log", "ab") as log:
            self.proc = subprocess.Popen(
                self.command(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=self.env()
            )
        wait_for(
            f"{self.name} is mounted",
            lambda: is_mounted(self.root) or self.proc.poll() is not None,
        )
        if self.proc.poll() is not None:
            raise RuntimeError(f"{self.name}: {(self.work / 'log').read_text()[-2000:]}")
        self.pids = [self.proc.pid]

    def env(self):
        """No proxies, no credentials, no settings of who runs this."""
        return {"PATH": os.environ["PATH"], "HOME": str(self.work), "LC_ALL": "C.UTF-8"}

    def stop(self):
        """Ends at once: what waits to be uploaded is not worth its time."""
        if self.proc is None:
            return
        subprocess.run(["umount", "-l", self.root], capture_output=True)
        if self.proc.poll() is None:
            self.proc.kill()
        self.proc.wait(20)
        self.proc = None
        self.pids = []


class Floor(Mounted):
    name = "floor"
    options = []

    def __init__(self, work, build):
        super().__init__(work)
        self.exe = build / "tests/bench/bench-floor"
        self.back = self.work / "back"
        self.back.mkdir()

    def command(self):
        return [self.exe, *self.options, self.back, self.root]

    def start(self):
        """With requests of 1 MiB, copied from a buffer that has its memory:
        in 1 GiB read with a cold page cache, the least time and 18 ticks of
        the daemon's; requests of 128 KiB took 24 and more, splice of 512 KiB
        15 but longer."""
        super().start()
        dev = os.stat(self.root).st_dev
        bdi = pathlib.Path(f"/sys/class/bdi/{os.major(dev)}:{os.minor(dev)}")
        (bdi / "read_ahead_kb").write_text("1024")

    def holds(self):
        return [self.back]


class PassthroughFloor(Floor):
    """The same, but the kernel reads and writes the files itself."""

    name = "floor-pt"
    options = ["-p"]


class Mersey(Subject):
    """A gateway as it is installed: supervisor, a worker for each trust, S3.
    Files settle for a day, so that nothing is uploaded while others are
    measured; the peers' uploads are put off likewise."""

    name = "mersey"

    def __init__(self, work, build, server, buckets):
        self.work = work / "mersey"
        self.work.mkdir()
        self.bucket = buckets["rem"]
        self.g = Gateway(
            self.work,
            store="s3",
            trusts=tuple(buckets),
            build=build,
            s3={
                "endpoint": server.endpoint,
                "region": server.region,
                "users": {t: (server.access, server.secret) for t in buckets},
            },
            buckets=buckets,
            settle="1d",
            read_wait="20s",
            cache_size="40GiB",
        )
        self.root = self.g.mount("rem")
        self.built = version_of(build / "daemon/cli/mersey", "--version")

    def setup(self):
        self.g.setup()
        return self

    def start(self):
        self.g.start()
        self.served()

    def served(self):
        """All trusts: one may answer while another is still starting."""
        for t in self.g.trusts:
            wait_for(f"{t} is served", lambda t=t: self.g.serves(t))
        self.pids = [self.g.proc.pid] + [self.g.worker_pid(t) for t in self.g.trusts]
        path = self.g.status(self.g.trusts[0])["worker"]["data_path"]
        self.version = f"{self.built} ({path})"

    def stop(self):
        self.g.destroy()
        self.pids = []

    def holds(self):
        return [self.work / "state"]

    def at(self, endpoint):
        """Restarts it with another way to the server."""
        self.stop()
        self.g.keys["endpoint"] = endpoint
        self.g.write_config()
        self.start()

    def state(self, path):
        return self.g.info(path)["state"]

    def cold(self, path, files):
        """All below `path` is in the bucket only (`files` are looked at), and
        the kernel has forgotten it, too. Tried again for a while: the kernel
        tells of a close later, and only then is counted as present what the
        reader had fetched."""

        def gone():
            done = self.g.evict(path)
            drop_caches(3)
            rest(self.pids)
            return not done["skipped"] and all(self.state(f) == "remote" for f in files)

        wait_for(f"{path} is remote", gone)


class Peer(Mounted):
    """Another gateway on the same server, with a bucket of its own."""

    def __init__(self, work, server, bucket):
        super().__init__(work)
        self.server, self.bucket = server, bucket
        self.endpoint = server.endpoint
        self.cache = self.work / "cache"

    def holds(self):
        return [self.cache]

    def at(self, endpoint):
        self.endpoint = endpoint
        self.forget()

    def cold(self, path, files):
        self.forget()
        drop_caches(3)

    def forget(self):
        """A cold start: without a cache on the disk."""
        self.stop()
        shutil.rmtree(self.cache, ignore_errors=True)
        self.cache.mkdir()
        self.start()


class Rclone(Peer):
    name = "rclone"

    def __init__(self, *args):
        super().__init__(*args)
        self.version = version_of("rclone", "version")

    def env(self):
        return {
            **super().env(),
            "RCLONE_CONFIG": "/dev/null",
            "RCLONE_CONFIG_B_TYPE": "s3",
            "RCLONE_CONFIG_B_PROVIDER": "Ceph",
            "RCLONE_CONFIG_B_ENDPOINT": self.endpoint,
            "RCLONE_CONFIG_B_REGION": self.server.region,
            "RCLONE_CONFIG_B_ACCESS_KEY_ID": self.server.access,
            "RCLONE_CONFIG_B_SECRET_ACCESS_KEY": self.server.secret,
        }

    def command(self):
        return [
            "rclone", "mount", f"b:{self.bucket}", self.root,
            "--vfs-cache-mode", "full", "--cache-dir", self.cache, "--allow-other",
            "--vfs-write-back", "1h", "--dir-cache-time", "24h", "--attr-timeout", "1h",
        ]  # fmt: skip


class S3fs(Peer):
    name = "s3fs"

    def __init__(self, *args):
        super().__init__(*args)
        self.version = version_of("s3fs", "--version")
        self.secret = self.work / "passwd"
        self.secret.touch(0o600)
        self.secret.write_text(f"{self.server.access}:{self.server.secret}\n")

    def command(self):
        options = [
            f"url={self.endpoint}", "use_path_request_style", f"passwd_file={self.secret}",
            f"use_cache={self.cache}", "allow_other", "max_stat_cache_size=200000",
            "enable_noobj_cache",
        ]  # fmt: skip
        return ["s3fs", self.bucket, self.root, "-f", "-o", ",".join(options)]


PEERS = {"rclone": Rclone, "s3fs": S3fs}
