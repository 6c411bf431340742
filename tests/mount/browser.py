# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium by WebDriver (Debian's chromium-driver), for pages that people will look at."""

import base64
import contextlib
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request


class Browser:
    def __init__(self, port, session):
        self.base = f"http://127.0.0.1:{port}/session/{session}"

    def call(self, path, method="POST", **body):
        return request(f"{self.base}/{path}", method, body)

    def open(self, path):
        self.call("url", url=f"file://{path}")

    def run(self, script):
        """Runs the body of a function in the page and returns what it returns."""
        return self.call("execute/sync", script=script, args=[])

    def size(self, width, height):
        self.call("window/rect", width=width, height=height)

    def screenshot(self):
        return base64.b64decode(self.call("screenshot", "GET"))

    def pdf(self):
        """As it would be printed on A4."""
        return base64.b64decode(self.call("print", page={"width": 21.0, "height": 29.7}, background=False))


def request(url, method, body):
    r = urllib.request.Request(
        url,
        method=method,
        data=json.dumps(body).encode() if method == "POST" else None,
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(r, timeout=60) as f:
        return json.load(f)["value"]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def session(port, profile):
    args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
    wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": args}}
    end = time.monotonic() + 60
    while True:
        try:
            return request(f"http://127.0.0.1:{port}/session", "POST", {"capabilities": {"alwaysMatch": wanted}})
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


@contextlib.contextmanager
def browser():
    port, profile = free_port(), tempfile.mkdtemp(prefix="mersey-browser-")
    driver = subprocess.Popen(
        ["chromedriver", f"--port={port}", "--silent"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        b = Browser(port, session(port, profile)["sessionId"])
        yield b
        request(b.base, "DELETE", {})
    finally:
        driver.terminate()
        driver.wait(30)
        shutil.rmtree(profile, ignore_errors=True)
