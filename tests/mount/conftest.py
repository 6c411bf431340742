# SPDX-License-Identifier: Apache-2.0
"""A whole gateway for a test: config, trusts, supervisor, mounts, clients.

Everything lies in one temporary directory and is taken down by pid. The
programs come from the build in $MERSEY_BUILD. Clients run as numeric uids
that are not the service accounts.
"""
import base64
import contextlib
import hashlib
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import tempfile
import time

import pytest

# The mount suite runs on the sanitizer build; what measures memory or plays
# with the disk uses the plain one.
BUILD = pathlib.Path(os.environ.get("MERSEY_BUILD", "build")).resolve()
PLAIN = pathlib.Path(os.environ.get("MERSEY_PLAIN", BUILD)).resolve()
WORK = os.environ.get("MERSEY_WORK", "/tmp")
PRICES = pathlib.Path(__file__).resolve().parents[2] / "config/prices"
# "false": the worker serves all files, as on an older kernel.
PASSTHROUGH = os.environ.get("MERSEY_PASSTHROUGH", "true")
FULL = bool(os.environ.get("MERSEY_FULL"))

# Service accounts and clients of the two trusts; numbers without passwd rows.
SERVICE = {"rem": 60901, "rbq": 60902}
CLIENT = {"rem": 61001, "rbq": 62001}


def pytest_configure(config):
    config.addinivalue_line("markers", "full: only with scripts/test --full")


def pytest_collection_modifyitems(config, items):
    """Long runs are not part of the default run: they are not collected."""
    if not FULL:
        keep = [i for i in items if not i.get_closest_marker("full")]
        config.hook.pytest_deselected(items=[i for i in items if i not in keep])
        items[:] = keep


def wait_for(what, condition, seconds=30.0, every=0.05):
    """Polls until the condition is true and returns it; else fails."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            pytest.fail(f"not within {seconds} s: {what}")
        time.sleep(every)


def is_mounted(path):
    want = str(path).encode().replace(b" ", b"\\040")
    with open("/proc/self/mountinfo", "rb") as f:
        return any(line.split()[4] == want for line in f)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


class CliError(Exception):
    def __init__(self, rc, out, err):
        super().__init__(f"exit {rc}: {out}{err}")
        self.rc, self.out, self.err = rc, out, err


class Gateway:
    """One installation with the trusts rem and rbq."""

    def __init__(
        self, work, store="dir", s3=None, trusts=("rem", "rbq"), build=BUILD, **keys
    ):
        self.work = pathlib.Path(work)
        self.build = build
        self.store, self.s3 = store, s3
        self.trusts = trusts
        self.keys = {
            "settle": "1s",
            "read_wait": "4s",
            "max_unprotected": "24h",
            "cache_size": "1GiB",
            "passthrough": PASSTHROUGH,
            "delete_after": "35d",
            "quota": "{}",
            "alarms": "{unprotected_for: 15m}",
            "alarm_command": None,
            "bandwidth": "[]",
            "buckets": {},
            "endpoint": None,
            "ca_file": None,
            "region": None,
            "store_keys": [],  # more lines of the store
            "credentials": None,  # what stands for the store
            "profile": None,  # of the credentials file
            "environment": {},  # of merseyd and the CLI
            # Further tiers, the same for all trusts. Each has a name; "bucket":
            # a suffix of the first tier's, else it is that one; "class";
            # "store": a store of its own, on another directory or, with
            # "endpoint", at another server; "keys": more of the tier, as text.
            "tiers": [],
            "prices": "onprem",  # a table of config/prices
            "policies": [],  # lines of the config
            "trust_keys": [],  # more lines of each trust
        }
        self.keys.update(keys)
        self.proc = None
        self.log_path = self.work / "merseyd.log"
        os.chmod(self.work, 0o755)
        for d in ("state", "mnt", "run", "secrets", "bucket"):
            (self.work / d).mkdir(exist_ok=True)
        (self.work / "secrets").chmod(0o700)
        self.config = self.work / "mersey.yaml"
        self.write_config()

    # ---- config

    def tier(self, name):
        """What the test said of a tier; {} of the first."""
        return next((t for t in self.keys["tiers"] if t["name"] == name), {})

    def bucket(self, trust, tier="near"):
        first = self.keys["buckets"].get(trust, f"{trust}-mersey")
        suffix = self.tier(tier).get("bucket")
        return f"{first}-{suffix}" if suffix else first

    def write_config(self):
        k = self.keys
        lines = [
            "version: 1",
            "gateway:",
            "  name: gw1.test",
            f"  state_dir: {self.work}/state",
            f"  mount_dir: {self.work}/mnt",
            f"  runtime_dir: {self.work}/run",
            *([f"  alarm_command: {k['alarm_command']}"] if k["alarm_command"] else []),
            "cost:",
            f"  prices: [{', '.join(f'{PRICES}/{p}.yaml' for p in sorted({'onprem', k['prices']}))}]",
            "  currency: GBP",
            '  exchange: {USD: "0.79", as_of: 2026-11-01, source: Bank of England}',
            "stores:",
        ]
        for name in self.store_names():
            lines += self.store_lines(name)
        lines += k["policies"]
        lines += [
            "defaults:",
            f"  settle: {k['settle']}",
            f"  read_wait: {k['read_wait']}",
            f"  max_unprotected: {k['max_unprotected']}",
            f"  delete_after: {k['delete_after']}",
            f"  quota: {k['quota']}",
            f"  alarms: {k['alarms']}",
            *([f"  bandwidth: {k['bandwidth']}"] if k["bandwidth"] != "[]" else []),
            f"  cache: {{size: {k['cache_size']}, high: 90%, low: 70%, passthrough: {k['passthrough']}}}",
            "trusts:",
        ]
        for t in self.trusts:
            lines += [
                f"  {t}:",
                f"    name: Trust {t}",
                f"    user: '{SERVICE[t]}'",
                f"    root: {{owner: '{CLIENT[t]}', group: '{CLIENT[t]}', mode: '0770'}}",
                f"    key: {{file: secrets/{t}.key}}",
            ]
            if self.store != "dir":
                lines.append("    credentials:")
                for name in self.store_names():
                    file = self.credentials_file(t, name)
                    self.write_credentials(t, *self.s3["users"][t], name)
                    source = k["credentials"] if name == "near-store" else None
                    lines.append(f"      {name}: {source or f'secrets/{file}'}")
            lines += ["    tiers:", *self.tier_lines(t)]
            lines += [f"    {line}" for line in k["trust_keys"]]
        self.config.write_text("\n".join(lines) + "\n")

    def store_names(self):
        """Of S3. Of directories each trust has its own: see store_name()."""
        return ["near-store", *(t["store"] for t in self.keys["tiers"] if "store" in t)]

    def store_name(self, name, trust):
        return f"{name.removesuffix('-store')}-{trust}" if self.store == "dir" else name

    def bucket_dir(self, trust, store="near-store"):
        """Where the buckets of a directory store are."""
        return self.work / "bucket" / (trust if store == "near-store" else f"{trust}-{store}")

    def store_lines(self, name):
        return self.dir_lines(name) if self.store == "dir" else self.s3_lines(name)

    def dir_lines(self, name):
        """A store for each trust, so that its objects belong to its own uid."""
        lines = []
        for t in self.trusts:
            d = self.bucket_dir(t, name)
            lines += [
                f"  {self.store_name(name, t)}:",
                "    kind: dir",
                f"    path: {d}",
                f"    prices: {self.keys['prices']}",
            ]
            d.mkdir(exist_ok=True)
            os.chown(d, SERVICE[t], SERVICE[t])
            d.chmod(0o700)
        return lines

    def s3_lines(self, name):
        k = self.keys
        own = next((t for t in k["tiers"] if t.get("store") == name), {})
        lines = [
            f"  {name}:",
            f"    kind: {self.store}",
            f"    endpoint: {own.get('endpoint') or k['endpoint'] or self.s3['endpoint']}",
            f"    region: {k['region'] or self.s3['region']}"
            if self.store == "s3"
            else "    accept_unverified_peer: the tests",
            "    address_style: path",
            f"    prices: {k['prices']}",
        ]
        lines += [f"    {line}" for line in k["store_keys"]]
        if k["ca_file"]:
            # public, and read by the workers: where they can
            ca = self.work / "ca.crt"
            shutil.copyfile(k["ca_file"], ca)
            ca.chmod(0o644)
            lines.append(f"    ca_file: {ca}")
        return lines

    def tier_lines(self, trust):
        writer = ", single_writer: confirmed" if self.store == "s3v2" else ""
        lines = [
            f"      - {{name: near, store: {self.store_name('near-store', trust)}, "
            f"bucket: {self.bucket(trust)}{writer}}}"
        ]
        for t in self.keys["tiers"]:
            more = f", storage_class: {t['class']}" if "class" in t else ""
            more += f", {t['keys']}" if "keys" in t else ""
            store = self.store_name(t.get("store", "near-store"), trust)
            lines.append(
                f"      - {{name: {t['name']}, store: {store}, "
                f"bucket: {self.bucket(trust, t['name'])}{writer}{more}}}"
            )
        return lines

    def credentials_file(self, trust, store="near-store"):
        return f"{trust}.cred" if store == "near-store" else f"{trust}-{store}.cred"

    def write_credentials(self, trust, access, secret, store="near-store"):
        """In one step, as who rotates keys does it."""
        profiles = {"default": (access, secret)}
        if self.keys["profile"]:
            profiles = {"default": ("NO", "NO"), self.keys["profile"]: (access, secret)}
        new = self.work / "secrets" / f"{trust}.new"
        new.write_text(
            "".join(
                f"[{p}]\naws_access_key_id = {a}\naws_secret_access_key = {s}\n"
                for p, (a, s) in profiles.items()
            )
        )
        new.chmod(0o600)
        new.rename(self.work / "secrets" / self.credentials_file(trust, store))

    # ---- running

    def env(self):
        # The test's own keys are no business of the programs.
        e = {k: v for k, v in os.environ.items() if not k.startswith("MERSEY_S3_")}
        e["MERSEYD"] = str(self.build / "daemon/main/merseyd")
        e["MERSEY_CONFIG"] = str(self.config)
        e.update(self.keys["environment"])
        return e

    def setup(self):
        for t in self.trusts:
            self.cli("trust", "add", t, "--yes")
        return self

    def start(self, wait=True):
        with open(self.log_path, "ab") as log:
            self.proc = subprocess.Popen(
                [self.build / "daemon/main/merseyd", "--foreground", "--config", self.config],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env=self.env(),
            )
        if wait:
            for t in self.trusts:
                wait_for(f"trust {t} is served", lambda t=t: self.serves(t), 60)
        return self

    def serves(self, trust):
        if self.proc.poll() is not None:
            pytest.fail(f"merseyd ended:\n{self.log()}")
        try:
            return self.status(trust)["state"] in ("online", "degraded")
        except CliError:
            return False

    def stop(self, sig=signal.SIGTERM):
        if self.proc is None:
            return 0
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            rc = self.proc.wait(40)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait(10)
            raise
        self.proc = None
        return rc

    def destroy(self):
        """Leaves nothing behind, whatever state a test ended in."""
        if self.proc is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.stop()
        for t in self.trusts:
            for _ in range(3):
                if is_mounted(self.mount(t)):
                    subprocess.run(["umount", "-f", "-l", self.mount(t)], check=False)

    def log(self):
        """What merseyd said; "" when it never started."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def sanitizer_reports(self):
        bad = ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer", "WARNING: ThreadSanitizer")
        return [l for l in self.log().splitlines() if any(b in l for b in bad)]

    def mount(self, trust="rem"):
        return self.work / "mnt" / trust

    def worker_pid(self, trust="rem"):
        return self.status(trust)["worker"]["pid"]

    def cli(self, *args, rc=0, as_uid=None):
        """Runs a verb with --json; returns its result, or raises CliError."""
        r = subprocess.run(
            [self.build / "daemon/cli/mersey", "--config", self.config, "--json", *map(str, args)],
            capture_output=True,
            env=self.env(),
            user=as_uid,
            group=as_uid,
            extra_groups=[] if as_uid is not None else None,
            timeout=180,
        )
        out, err = r.stdout.decode(errors="replace"), r.stderr.decode(errors="replace")
        if r.returncode != rc and not (rc == 0 and r.returncode == 3):
            raise CliError(r.returncode, out, err)
        doc = json.loads(out)
        assert doc["mersey"] == 1
        return doc["result"] if "result" in doc else doc["error"]

    def screen(self, *args):
        """Runs a verb as a person would see it; (exit code, stdout, stderr)."""
        r = subprocess.run(
            [self.build / "daemon/cli/mersey", "--config", self.config, *map(str, args)],
            capture_output=True,
            env=self.env(),
            timeout=180,
        )
        return r.returncode, r.stdout.decode(), r.stderr.decode()

    def status(self, trust="rem"):
        return self.cli("status", trust)["trusts"][0]

    def protect(self, *paths, trust="rem"):
        if paths:
            return self.cli("wait", *paths)
        return self.cli("wait", "--all", "--trust", trust)

    def evict(self, *paths):
        return self.cli("evict", *paths)

    def info(self, path):
        return self.cli("info", path)["files"][0]

    # ---- what a trust's users do

    def as_client(self, code, trust="rem", uid=None, **names):
        """Runs python code as a client uid; `names` are its variables."""
        uid = CLIENT[trust] if uid is None else uid
        text = f"import os, sys, json\nargs = json.loads({json.dumps(json.dumps(names))})\nglobals().update(args)\n{code}"
        r = subprocess.run(
            ["/usr/bin/python3", "-I", "-c", text],
            capture_output=True,
            user=uid,
            group=uid,
            extra_groups=[],
            cwd="/",
            timeout=120,
        )
        if r.returncode:
            raise AssertionError(r.stderr.decode(errors="replace"))
        return r.stdout.decode()

    # ---- what the bucket holds

    def tier_dir(self, trust, tier="near"):
        """The bucket of a tier in a directory store."""
        store = self.tier(tier).get("store", "near-store")
        return self.bucket_dir(trust, store) / self.bucket(trust, tier)

    def make_bucket(self, trust="rem", tier="near"):
        """An empty one, as whoever runs the store would make it."""
        if self.store != "dir":
            self.s3["client"](trust).create_bucket(Bucket=self.bucket(trust, tier))
            return
        d = self.tier_dir(trust, tier)
        for d in (d, d / "mersey", d / "mersey" / trust):
            d.mkdir()
            os.chown(d, SERVICE[trust], SERVICE[trust])

    def objects(self, trust="rem", tier="near"):
        """Keys and bytes of all objects in a tier's bucket, past Mersey."""
        if self.store == "dir":
            root = self.tier_dir(trust, tier)
            return {
                str(p.relative_to(root)): p.read_bytes()
                for p in root.rglob("*")
                if p.is_file() and "~" not in p.name  # .lock~ is no object
            }
        c = self.s3["client"](trust)
        bucket, got, token = self.bucket(trust, tier), {}, {}
        while True:
            page = c.list_objects_v2(Bucket=bucket, **token)
            for o in page.get("Contents", []):
                got[o["Key"]] = c.get_object(Bucket=bucket, Key=o["Key"])["Body"].read()
            if not page.get("IsTruncated"):
                return got
            token = {"ContinuationToken": page["NextContinuationToken"]}

    def packs(self, trust="rem", tier="near"):
        return {k: v for k, v in self.objects(trust, tier).items() if "/packs/" in k}

    def put_object(self, key, data, trust="rem", tier="near"):
        if self.store == "dir":
            (self.tier_dir(trust, tier) / key).write_bytes(data)
        else:
            self.s3["client"](trust).put_object(
                Bucket=self.bucket(trust, tier), Key=key, Body=data
            )

    def delete_object(self, key, trust="rem", tier="near"):
        if self.store == "dir":
            (self.tier_dir(trust, tier) / key).unlink()
        else:
            self.s3["client"](trust).delete_object(Bucket=self.bucket(trust, tier), Key=key)


@contextlib.contextmanager
def single(g, trust="rem"):
    """merseyd --single of one trust of g; its mount point. Ends well."""
    mnt = g.work / "single"
    mnt.mkdir()
    with open(g.log_path, "wb") as log:
        p = subprocess.Popen(
            [g.build / "daemon/main/merseyd", "--single", trust, mnt, "--config", g.config],
            stdout=log,
            stderr=log,
            env=g.env(),
        )
    try:
        wait_for("mounted", lambda: "ready: serving" in g.log() or p.poll() is not None, 60)
        assert p.poll() is None
        yield mnt
        p.send_signal(signal.SIGTERM)
        assert p.wait(30) == 0
    finally:
        if p.poll() is None:
            p.kill()
            p.wait()
        subprocess.run(["umount", "-l", mnt], capture_output=True, check=False)
        print(g.log()[-8000:])
    assert not g.sanitizer_reports()


def digest(path):
    h = hashlib.sha256()
    with open(path, "rb") as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.hexdigest()


def drop_caches():
    """The page cache of the machine: so that reads reach the daemon."""
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as f:
        f.write("3")


def random_bytes(n, seed):
    return random.Random(seed).randbytes(n)


def path_base64(path):
    return base64.b64encode(os.fsencode(path)).decode()


@pytest.fixture(scope="session")
def s3():
    """The real Ceph RGW that scripts/test started; without it tests fail."""
    import boto3
    import botocore.config

    env = os.environ
    if "MERSEY_S3_ENDPOINT" not in env:
        pytest.fail("no S3 server: run through scripts/test, or start scripts/dev-s3")
    users = {
        "rem": (env["MERSEY_S3_ALICE_ACCESS_KEY"], env["MERSEY_S3_ALICE_SECRET_KEY"]),
        "rbq": (env["MERSEY_S3_BOB_ACCESS_KEY"], env["MERSEY_S3_BOB_SECRET_KEY"]),
    }

    def client(trust):
        access, secret = users[trust]
        return boto3.client(
            "s3",
            endpoint_url=env["MERSEY_S3_ENDPOINT"],
            region_name=env["MERSEY_S3_REGION"],
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            config=botocore.config.Config(s3={"addressing_style": "path"}, proxies={}),
        )

    return {
        "endpoint": env["MERSEY_S3_ENDPOINT"],
        "tls_endpoint": env["MERSEY_S3_TLS_ENDPOINT"],
        "ca": env["MERSEY_S3_CA"],
        "region": env["MERSEY_S3_REGION"],
        "log": env["MERSEY_S3_LOG"],
        "users": users,
        "client": client,
    }


@contextlib.contextmanager
def workdir():
    """A directory that clients with other uids can pass through."""
    d = pathlib.Path(tempfile.mkdtemp(prefix="mersey-", dir=WORK))
    d.chmod(0o755)
    try:
        yield d
    finally:
        shutil.rmtree(d, ignore_errors=True)


@contextlib.contextmanager
def running(prepared=contextlib.nullcontext, set_up=None, **keys):
    """A gateway that is up, and is gone afterwards; `prepared` makes of its
    directory what it should find there, `set_up` is called between setup and
    start."""
    with workdir() as work, prepared(work):
        g = Gateway(work, **keys)
        try:
            g.setup()
            if set_up:
                set_up()
            yield g.start()
            g.stop()
            reports = g.sanitizer_reports()
            assert not reports, reports
        finally:
            g.destroy()
            print(g.log()[-8000:])


def new_buckets(s3, *suffixes):
    """One new bucket for each trust, owned by its own user, and one more for
    each suffix (of a tier's "bucket")."""
    tag = f"{os.getpid()}-{random.randrange(1 << 30)}"
    buckets = {t: f"{t}-{tag}" for t in SERVICE}
    for t, b in buckets.items():
        for name in (b, *(f"{b}-{s}" for s in suffixes)):
            s3["client"](t).create_bucket(Bucket=name)
    return buckets


@pytest.fixture(scope="module")
def gateway():
    """Two trusts on directory stores, shared by the tests of one file."""
    with running() as g:
        yield g


@pytest.fixture(scope="module")
def rgw_gateway(s3):
    """Two trusts on the real RGW over TLS, each with its own user and bucket."""
    with running(
        store="s3",
        s3=s3,
        buckets=new_buckets(s3),
        endpoint=s3["tls_endpoint"],
        ca_file=s3["ca"],
    ) as g:
        yield g


@pytest.fixture(params=["dir", "rgw"])
def any_gateway(request):
    return request.getfixturevalue("gateway" if request.param == "dir" else "rgw_gateway")
