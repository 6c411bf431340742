# SPDX-License-Identifier: Apache-2.0
"""Alarms: raised by an outage, acknowledged, kept by a restart, cleared; the
command is told of each once."""
import json
import os
import signal

import pytest

from conftest import Gateway, alive, random_bytes, single, wait_for, workdir
from test_outage import gateway_behind_proxy

QUICK = "{unprotected_for: 2s, store_down_for: 2s}"


def pager(work):
    """A file that nobody may write to, and the command that does."""
    told = work / "told"
    told.touch()
    told.chmod(0o666)
    return told, f'[/bin/sh, "-c", "cat >> {told}"]'


def heard(told):
    return [json.loads(line) for line in told.read_text().splitlines()]


def events(told):
    return sorted((a["event"], a["code"]) for a in heard(told))


@pytest.fixture
def paged(s3):
    with workdir() as pages:
        told, command = pager(pages)
        with gateway_behind_proxy(s3, read_wait="3s", alarms=QUICK, alarm_command=command) as (g, proxy):
            yield g, proxy, told


def active(g):
    return {a["code"]: a for a in g.cli("alarms")["alarms"] if a["cleared_at"] is None}


def test_life_of_an_alarm(paged):
    g, proxy, told = paged
    assert g.cli("alarms")["alarms"] == [] and g.screen("alarms")[0] == 0
    (g.mount() / "f").write_bytes(random_bytes(100000, 1))
    g.protect()
    proxy.down()
    (g.mount() / "f").write_bytes(random_bytes(100000, 2))
    both = {"store_down", "unprotected"}
    wait_for("alarms are raised", lambda: both <= set(active(g)), 60, 0.3)
    wait_for("the command is told", lambda: len(heard(told)) >= 2, 30)
    assert events(told) == [("raised", c) for c in sorted(both)]
    first = active(g)
    for a in heard(told):
        row = first[a["code"]]
        assert a["id"] == row["id"] and a["raised_at"] == row["raised_at"]
        assert a["trust"] == "rem" and a["gateway"] == "gw1.test"
        assert a["severity"] == "critical" and a["message"] and a["action"] == row["action"]
        assert a["cleared_at"] is None and a["acked_by"] is None

    # everybody who looks sees it
    rc, out, _ = g.screen("alarms")
    assert rc == 3 and first["store_down"]["id"] in out
    assert g.screen("status")[0] == 3
    assert g.status()["alarms"] == {"active": 2, "unacknowledged": 2}

    # somebody has seen them
    ids = [a["id"] for a in first.values()]
    seen = g.cli("alarms", "ack", *ids)["alarms"]
    assert [a["acked_by"] for a in seen] == ["root", "root"]
    assert g.screen("alarms")[0] == 0
    assert g.status()["alarms"] == {"active": 2, "unacknowledged": 0}

    # a worker that dies takes nothing of it along
    pid = g.worker_pid()
    os.kill(pid, signal.SIGKILL)
    wait_for("it is gone", lambda: not alive(pid), 30)
    wait_for("served again", lambda: g.serves("rem"), 60)
    again = active(g)
    for code in both:
        assert again[code]["id"] == first[code]["id"]
        assert again[code]["raised_at"] == first[code]["raised_at"]
        assert again[code]["acked_by"] == "root"

    proxy.up()
    wait_for("all is cleared", lambda: not active(g), 120, 0.5)
    wait_for("the command is told", lambda: len(heard(told)) >= 4, 30)
    assert events(told) == sorted((e, c) for e in ("raised", "cleared") for c in both)
    rows = {a["code"]: a for a in g.cli("alarms")["alarms"]}
    for code in both:
        assert rows[code]["cleared_at"] and rows[code]["acked_by"] == "root"
    assert g.status()["state"] == "online" and g.screen("status")[0] == 0


def test_single_and_a_command_that_hangs():
    """In one process the command is run as well; a bad one holds up nothing."""
    with workdir() as work:
        told, _ = pager(work)
        g = Gateway(
            work,
            trusts=("rem",),
            settle="1h",
            alarms=QUICK,
            alarm_command=f'[/bin/sh, "-c", "cat >> {told}; id -u >> {told}; echo $$ >> {told}; exec sleep 1000"]',
        )
        g.setup()
        with single(g) as mnt:
            (mnt / "f").write_bytes(b"x" * 1000)
            wait_for("the command is told", lambda: told.read_text().count("\n") >= 3, 60)
            alarm, uid, command = told.read_text().splitlines()
            assert json.loads(alarm)["code"] == "unprotected" and uid == "65534"
            (mnt / "g").write_bytes(b"y" * 1000)
            assert (mnt / "f").read_bytes() == b"x" * 1000
            assert g.cli("alarms", rc=3)["alarms"][0]["code"] == "unprotected"
        os.kill(int(command), signal.SIGKILL)  # else it has 30 s
