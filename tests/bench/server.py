# SPDX-License-Identifier: Apache-2.0
"""The S3 server, seen past all gateways; the line to it; curl beside them."""
import collections
import concurrent.futures
import json
import os
import re
import shlex
import signal
import subprocess
import time
import uuid

import boto3
import boto3.s3.transfer
import botocore.config
import botocore.exceptions
from lab import version_of, wait_for

# The gateway's log: beast: ... "GET /bucket/key?query HTTP/1.1" 206 65536 - ...
LINE = re.compile(rb' beast: .*"([A-Z]+) /([^/? "]*)(/[^? "]*)?[^"]*" \d')


class Server:
    """The server that scripts/bench started, seen past all gateways."""

    def __init__(self, env=os.environ):
        self.endpoint = env["MERSEY_S3_ENDPOINT"]
        self.region = env["MERSEY_S3_REGION"]
        self.log = env["MERSEY_S3_LOG"]
        self.access = env["MERSEY_S3_ALICE_ACCESS_KEY"]
        self.secret = env["MERSEY_S3_ALICE_SECRET_KEY"]
        self.client = self.client_at(self.endpoint)

    def client_at(self, endpoint):
        return boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name=self.region,
            aws_access_key_id=self.access,
            aws_secret_access_key=self.secret,
            config=botocore.config.Config(
                s3={"addressing_style": "path"},
                signature_version="s3v4",
                proxies={},
                max_pool_connections=16,
            ),
        )

    def make_bucket(self, name):
        self.client.create_bucket(Bucket=name)
        return name

    def put_all(self, bucket, keys, body):
        """`body` is what all hold, or gives it for a key."""

        def put(key):
            data = body(key) if callable(body) else body
            self.client.put_object(Bucket=bucket, Key=key, Body=data)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for done in [pool.submit(put, k) for k in keys]:
                done.result()

    def put_file(self, bucket, key, path):
        how = boto3.s3.transfer.TransferConfig(multipart_chunksize=16 << 20)
        self.client.upload_file(str(path), bucket, key, Config=how)

    def remove(self, bucket, prefix=""):
        pages = self.client.get_paginator("list_objects_v2")
        for page in pages.paginate(Bucket=bucket, Prefix=prefix):
            keys = [{"Key": o["Key"]} for o in page.get("Contents", [])]
            if keys:
                self.client.delete_objects(Bucket=bucket, Delete={"Objects": keys})

    def urls(self, verb, bucket, keys, endpoint):
        """Signed, for who comes to the server through `endpoint`."""
        client = self.client_at(endpoint)
        return [
            client.generate_presigned_url(verb, {"Bucket": bucket, "Key": k}, 24 * 3600)
            for k in keys
        ]

    # ---- what it has written down

    def written(self):
        """How long the log is, once all that was answered until now is in it."""
        probe = f"probe-{uuid.uuid4()}"
        try:
            self.client.head_bucket(Bucket=probe)
        except botocore.exceptions.ClientError:
            pass
        wait_for("the server's log is written", lambda: self.lines_about(probe))
        return os.stat(self.log).st_size

    def lines_about(self, bucket, since=0):
        want = f" /{bucket}".encode()
        with open(self.log, "rb") as f:
            f.seek(since)
            found = (LINE.search(line) for line in f if want in line)
            return [m for m in found if m and m[2] == bucket.encode()]

    def seen(self, bucket, since=0):
        """Requests about a bucket, by verb: {"GET": 3, "LIST": 1, ...}."""
        lines = self.lines_about(bucket, since)
        of_bucket = {b"GET": "LIST"}  # without the name of an object
        return collections.Counter(
            m[1].decode() if (m[3] or b"/") != b"/" else of_bucket.get(m[1], "bucket")
            for m in lines
        )

    def requests(self, bucket):
        return sum(self.seen(bucket).values())


def restarted(script, directory):
    """A new server, empty: the old one keeps the memory of what it held."""
    for verb in ("stop", "start"):
        r = subprocess.run([script, "--dir", directory, verb], capture_output=True, text=True)
        if r.returncode:
            raise RuntimeError(f"{script} {verb}: {r.stderr}")
    text = subprocess.check_output([script, "--dir", directory, "env"], text=True)
    return Server(dict(w.split("=", 1) for w in shlex.split(text)))


class Line:
    """The way to the server: direct, or with a round-trip time."""

    def __init__(self, build, server, rtt_ms):
        self.exe = build / "tests/bench/bench-delay"
        self.server, self.rtt_ms = server, rtt_ms
        self.name = f"{rtt_ms} ms"
        self.endpoint, self.proc = server.endpoint, None

    def __enter__(self):
        if self.rtt_ms:
            to = self.server.endpoint.removeprefix("http://")
            self.proc = subprocess.Popen(
                [self.exe, "--listen", "0", "--to", to, "--rtt", f"{self.rtt_ms}ms"],
                stdout=subprocess.PIPE,
                text=True,
            )
            self.endpoint = "http://" + self.proc.stdout.readline().split()[-1]
        return self

    def __exit__(self, *exc):
        if self.proc:
            self.proc.kill()
            self.proc.wait()

    def fetched(self):
        """Bytes that came from the server until now."""
        self.proc.send_signal(signal.SIGUSR1)
        return json.loads(self.proc.stdout.readline())["from_server"]


class Curl:
    """What a person gets with curl: `at_once` ranges or files in parallel."""

    name = "curl"
    pids = []
    at_once = 16

    def __init__(self, work):
        self.work = work / "curl"
        self.work.mkdir()
        self.version = version_of("curl", "--version")

    def start(self):
        pass

    stop = start

    def run(self, transfers, *options):
        """Runs curl with a list of {option: value}; the seconds that it took,
        and for each transfer (connections made, seconds, bytes)."""
        said = "%{http_code} %{num_connects} %{time_total} %{size_download} %{size_upload}\n"
        for t in transfers:
            t |= {"output": "/dev/null", "write-out": said}
        text = "\nnext\n".join(
            "\n".join(f"{k} = {json.dumps(v)}" for k, v in t.items()) for t in transfers
        )
        config = self.work / "config"
        config.write_text(text + "\n")
        began = time.monotonic()
        out = subprocess.run(
            ["curl", "-q", "-sS", "--noproxy", "*", *options, "-K", config],
            capture_output=True,
            text=True,
            check=True,
            timeout=600,
        ).stdout
        took = time.monotonic() - began
        got = [line.split() for line in out.splitlines()]
        if len(got) != len(transfers) or any(g[0] not in ("200", "206") for g in got):
            raise RuntimeError(f"curl: {out}")
        return took, [(int(g[1]), float(g[2]), int(g[3]) + int(g[4])) for g in got]

    def parallel(self, transfers, size):
        took, got = self.run(transfers, "-Z", "--parallel-max", str(self.at_once))
        if sum(g[2] for g in got) != size:
            raise RuntimeError(f"curl moved {sum(g[2] for g in got):,} of {size:,} bytes")
        return took

    def get(self, url, size):
        """Seconds for a file in `at_once` ranges, all at once."""
        each = -(-size // self.at_once)
        ranges = [f"{a}-{min(a + each, size) - 1}" for a in range(0, size, each)]
        return self.parallel([{"url": url, "range": r} for r in ranges], size)

    def put(self, urls, path):
        """Seconds until all are stored, each with the content of one file."""
        size = os.stat(path).st_size * len(urls)
        return self.parallel([{"url": u, "upload-file": str(path)} for u in urls], size)

    def get_warm(self, url, offset, size):
        """Seconds for one range, on a connection that another one opened."""
        first, second = ({"url": url, "range": f"{a}-{a + size - 1}"} for a in (0, offset))
        _, got = self.run([first, second])
        connections, seconds, moved = got[1]
        if connections != 0 or moved != size:
            raise RuntimeError("curl did not use its connection again")
        return seconds
