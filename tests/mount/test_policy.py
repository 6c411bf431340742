# SPDX-License-Identifier: Apache-2.0
"""Each condition of a policy, asked of real files: what `tier explain` says."""
import shutil

import pytest
from conftest import CLIENT, CliError, running
from pydicom.data import get_testdata_file

COOL = [{"name": "cool", "bucket": "cool"}]
POLICIES = [
    "policies:",
    "  p:",
    "    file_classes:",
    '      ct: {modality: [CT, MR], study_date: "= 2004-01-19", study_age: "> 1y"}',
    '      kept: {xattr: "user.keep=yes"}',
    "      mine: {owner: %d, path: /mine/**}" % CLIENT["rem"],
    '      big: {size: ">= 64KiB", tier: near}',
    '      old: {last_modified: "> 2y", created: "< 1d"}',
    '      fresh: {last_access: "< 1d", tier: local, path: "**/*.new"}',
    "    rules:",
    "      - {for: ct, do: move, to: cool}",
    "      - {for: kept, do: pin, pin_for: 30d}",
    "      - {for: mine, do: keep}",
    "      - {for: big, do: move, to: cool}",
    "      - {for: old, do: evict}",
    "      - {for: fresh, do: keep}",
]
FILE = """
file_classes:
  local: {tier: local, path: '/[!m]*/**'}
rules:
  - {for: local, do: %s}
"""
MAKE = """
def put(name, n, xattr=None, mtime=None):
    os.makedirs(os.path.dirname(f"{top}/{name}"), exist_ok=True)
    with open(f"{top}/{name}", "wb") as f:
        f.write(b"x" * n)
    if xattr:
        os.setxattr(f"{top}/{name}", "user.keep", xattr)
    if mtime:
        os.utime(f"{top}/{name}", (mtime, mtime))
put("x/kept", 10, b"yes")
put("x/unkept", 10, b"yess")
put("mine/a", 10)
put("x/big", 65536)
put("x/old", 10, mtime=1e9)
put("x/y/z.new", 10)
put("x/none", 10)
"""


@pytest.fixture(scope="module")
def g():
    with running(
        trusts=("rem",), tiers=COOL, policies=POLICIES, trust_keys=["policy: p"]
    ) as gateway:
        top = gateway.mount()
        gateway.as_client(MAKE, top=str(top))
        shutil.copyfile(get_testdata_file("CT_small.dcm"), top / "x/ct")
        gateway.protect()
        yield gateway


def explain(g, name, *args):
    e = g.cli("tier", "explain", g.mount() / name, *args)
    return e["matched"], e["rules"]


def test_conditions(g):
    want = {"ct": 1, "kept": 2, "unkept": None, "big": 4, "old": 5, "y/z.new": 6, "none": None}
    got = {name: explain(g, f"x/{name}")[0] for name in want}
    assert got == want
    assert explain(g, "mine/a")[0] == 3


def test_reasons(g):
    _, rules = explain(g, "x/ct")
    said = {c["key"]: (c["wanted"], c["value"], c["result"]) for c in rules[0]["conditions"]}
    assert said["modality"] == ("CT, MR", "CT", True)
    assert said["study_date"] == ("= 2004-01-19", "2004-01-19", True)
    assert said["study_age"][0] == "> 1y" and said["study_age"][2]
    _, rules = explain(g, "x/unkept")
    assert rules[1]["conditions"] == [
        {"key": "xattr", "wanted": "user.keep=yes", "value": "not set so", "result": False}
    ]


def test_file(g, tmp_path):
    """A policy that stands in no config: planned and explained, not run."""
    path = tmp_path / "try.yaml"
    path.write_text(FILE % "evict")
    assert explain(g, "x/none", "--policy", path)[0] == 1
    assert explain(g, "mine/a", "--policy", path)[0] is None
    p = g.cli("tier", "plan", "--policy", path)
    assert p["policy"] == "file:try.yaml" and p["totals"]["files"] == 7
    with pytest.raises(CliError) as err:
        g.cli("tier", "run", "--policy", path, "--yes")
    assert "takes a policy of the config" in err.value.out
    done = g.cli("tier", "apply", p["plan"], "--yes")
    assert done["state"] == "done" and done["done"]["files"] == 7
    assert explain(g, "x/none", "--policy", path)[0] is None

    path.write_text(FILE % "move, to: cold")
    with pytest.raises(CliError) as err:
        g.cli("tier", "plan", "--policy", path)
    assert f"{path}:5:" in err.value.out and "trust 'rem' has no tier 'cold'" in err.value.out
