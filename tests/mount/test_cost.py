# SPDX-License-Identifier: Apache-2.0
"""Money: what the ledger of a real gateway becomes in each format, and the page in a real browser."""

import html.parser
import json
import pathlib
import re
import subprocess
from decimal import Decimal

import focus
import pytest

from conftest import PLAIN, CliError, random_bytes, running, wait_for

HOSTILE = "</title><script>alert(1)</script><img src=x onerror=alert(2)>"
SIZE = 24 << 20  # a second of it costs something
FIXTURE = pathlib.Path(__file__).resolve().parents[1] / "data/cost-report.json"


@pytest.fixture(scope="module")
def gateway():
    with running() as g:
        config = g.config.read_text().replace("name: Trust rbq", f"name: {json.dumps(HOSTILE)}")
        g.config.write_text(config)
        for trust in g.trusts:
            file = g.mount(trust) / "file.bin"
            file.write_bytes(random_bytes(SIZE, 7))
            g.protect(file)
        wait_for(
            "both trusts were charged",
            lambda: all(Decimal(r["total"]["amount"]) > 0 for r in g.cli("cost", "report")["rows"] if r["tier"] == "near"),
            30,
        )
        yield g


def total(g, *args):
    return Decimal(g.cli("cost", "report", *args)["totals"]["total"]["amount"])


def test_focus(gateway, tmp_path):
    """It conforms, and its sum lies between the report's before and after."""
    out = tmp_path / "focus.csv"
    before = total(gateway)
    rc, text, err = gateway.screen("cost", "report", "--format", "focus", "--out", out)
    assert (rc, text, err) == (0, "", "")
    rows = focus.check(out.read_bytes().decode())
    spent = sum(Decimal(r["BilledCost"]) for r in rows if r["ChargeCategory"] == "Usage")
    assert 0 < before <= spent <= total(gateway)
    assert {r["SubAccountId"] for r in rows} == {"rem", "rbq"}
    assert {r["ResourceId"] for r in rows} >= {"rem-mersey", "rbq-mersey"}
    assert {r["InvoiceIssuerName"] for r in rows} == {"gw1.test"}


@pytest.mark.parametrize("by", ["tier", "class", "cause", "modality", "age"])
def test_rows_are_the_total(gateway, by):
    """Whatever rows stand for, they and the lines are the total, to the last unit."""
    r = gateway.cli("cost", "report", "--by", by)
    want = Decimal(r["totals"]["total"]["amount"])
    assert want > 0
    assert sum(Decimal(row["total"]["amount"]) for row in r["rows"]) == want
    assert sum(Decimal(line["amount"]["amount"]) for line in r["lines"]) == want
    for row in r["rows"]:
        assert sum(Decimal(m["amount"]) for m in row["charges"].values()) == Decimal(row["total"]["amount"])
    trusts = [gateway.cli("cost", "report", "--by", by, "--trust", t, "--month", "2020-01") for t in gateway.trusts]
    assert [Decimal(t["totals"]["total"]["amount"]) for t in trusts] == [0, 0]


class Page(html.parser.HTMLParser):
    """What of a page would be fetched or run."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.bad = set(), [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name.startswith("on") or name in ("src", "href", "xlink:href", "action"):
                self.bad.append((tag, name, value))

    def handle_data(self, data):
        self.text.append(data)


def test_page(gateway, tmp_path):
    out = tmp_path / "report.html"
    rc, _, err = gateway.screen("cost", "report", "--format", "html", "--out", out)
    assert rc == 0, err
    page = Page(out.read_text())
    assert not page.bad
    assert not page.tags & {"script", "img", "link", "iframe", "object", "embed", "form", "base"}
    assert page.tags >= {"svg", "table", "figure"}
    assert HOSTILE in page.text
    assert "url(" not in out.read_text() and "@import" not in out.read_text()


def test_out_cannot_be_written(gateway):
    rc, out, err = gateway.screen("cost", "report", "--format", "html", "--out", "/nowhere/x.html")
    assert rc == 1 and out == "" and "cannot write '/nowhere/x.html'" in err


def test_forecast_and_what_if(gateway, tmp_path):
    f = gateway.cli("cost", "forecast")
    assert len(f["months"]) == 12
    for m in f["months"]:
        low, mid, high = (Decimal(m[k]["amount"]) for k in ("low", "expected", "high"))
        assert 0 <= low <= mid <= high
        assert mid == sum(
            Decimal(o["expected"]["amount"]) for t in f["trusts"] for o in t["months"] if o["month"] == m["month"]
        )
    w = gateway.cli("cost", "whatif", "--policy", "all-hot")
    assert Decimal(w["now"]["amount"]) - Decimal(w["then"]["amount"]) == Decimal(w["saved_per_month"]["amount"])
    assert w["now"]["amount"] == w["then"]["amount"], "it lies in the only tier"
    policy = tmp_path / "keep.yaml"
    policy.write_text("file_classes: {all: {size: '>= 0'}}\nrules: [{for: all, do: keep}]\n")
    w = gateway.cli("cost", "whatif", "--policy", policy)
    assert w["now"] == w["then"] and Decimal(w["once"]["amount"]) == 0, w
    assert gateway.cli("tier", "history")["runs"] == []
    with pytest.raises(CliError) as e:
        gateway.cli("cost", "whatif", "--policy", "nonsense")
    assert e.value.rc == 2 or "nonsense" in str(e.value)


POLICIES = [
    "policies:",
    "  imaging:",
    '    file_classes: {old: {path: "/old/**"}}',
    "    rules: [{for: old, do: move, to: cool}]",
]


def charged(row):
    return row["objects"] == 0 or Decimal(row["total"]["amount"]) > 0


def test_two_tiers(tmp_path):
    """What-if says what the plan says; when it was done, the bill has both buckets."""
    tiers = [{"name": "cool", "bucket": "cool"}]
    with running(trusts=("rem",), tiers=tiers, policies=POLICIES, trust_keys=["policy: imaging"]) as g:
        (g.mount() / "old").mkdir()
        for i in range(4):
            (g.mount() / f"old/{i}").write_bytes(random_bytes(SIZE, i))
        g.protect(g.mount() / "old")
        w, p = g.cli("cost", "whatif"), g.cli("tier", "plan")
        assert w["bytes"] == p["totals"]["bytes"] == 4 * SIZE
        assert Decimal(w["saved_per_month"]["amount"]) == -Decimal(p["totals"]["per_month"]["amount"])
        assert w["once"] == p["totals"]["once"]
        g.cli("tier", "apply", p["plan"], "--yes")
        wait_for("what moved was charged", lambda: all(charged(r) for r in g.cli("cost", "report")["rows"]))
        out = tmp_path / "focus.csv"
        assert g.screen("cost", "report", "--format", "focus", "--out", out)[0] == 0
        rows = focus.check(out.read_bytes().decode())
        assert {r["ResourceId"] for r in rows if r["ChargeCategory"] == "Usage"} == {g.bucket("rem"), g.bucket("rem", "cool")}
        assert "policy" in {r["x_Cause"] for r in rows}
        assert all(x["explained"] for x in g.cli("cost", "reconcile", out)["lines"])


def total_of(g, path):
    return Decimal(g.cli("cost", "explain", path)["total"]["amount"])


def test_explain(gateway):
    path = gateway.mount() / "file.bin"
    wait_for("it was charged", lambda: total_of(gateway, path) > 0)
    x = gateway.cli("cost", "explain", path)
    assert x["path"] == str(path) and x["study_uid"] is None
    assert (x["files"], x["bytes"]) == (1, SIZE)
    assert sum(Decimal(e["amount"]["amount"]) for e in x["events"]) == Decimal(x["total"]["amount"])
    assert {"put", "storage"} <= {e["item"] for e in x["events"]}
    rc, out, _ = gateway.screen("cost", "explain", path)
    assert rc == 0 and re.search(r"^From now on £0\.0*[1-9]", out, re.M), out


def test_reconcile(gateway, tmp_path):
    """Our own FOCUS is a bill that agrees; one that was changed has its reasons."""
    bill = tmp_path / "bill.csv"
    gateway.screen("cost", "report", "--format", "focus", "--out", bill)
    r = gateway.cli("cost", "reconcile", bill)
    assert r["lines"] and Decimal(r["unexplained"]["amount"]) == 0, r
    assert all(x["explained"] for x in r["lines"])
    plain = tmp_path / "plain.csv"
    plain.write_text("bucket,storage_class,usage,amount\nrem-mersey,STANDARD,storage,250.00\nother,,storage,3\n")
    r = gateway.cli("cost", "reconcile", plain)
    assert {x["line"]: x["reason"] for x in r["lines"] if x["at_line"]} == {
        "rem-mersey STANDARD storage": "unexplained",
        "other STANDARD storage": "no trust has this bucket",
    }
    rc, out, _ = gateway.screen("cost", "reconcile", plain)
    assert rc == 3 and re.search(r"^rem-mersey STANDARD storage +£250\.00 ", out, re.M), out
    plain.write_text("bucket,usage,amount\nrem-mersey,storage,much\n")
    rc, _, err = gateway.screen("cost", "reconcile", plain)
    assert rc == 2 and "line 2: amount: not a number" in err


# ---- in a real browser ------------------------------------------------------

LAYOUT = """
const svg = [...document.querySelectorAll('svg')].map(s => {
  const box = s.getBoundingClientRect();
  const labels = [...s.querySelectorAll('.x')].map(t => t.getBoundingClientRect()).filter(b => b.width);
  const inside = [...s.querySelectorAll('rect,text,polygon,polyline,circle')].every(e => {
    const b = e.getBoundingClientRect();
    return b.left >= box.left - 1 && b.right <= box.right + 1 && b.top >= box.top - 1 && b.bottom <= box.bottom + 1;
  });
  const touch = labels.some((a, i) => labels.some((b, k) => k > i && a.left < b.right && b.left < a.right
    && a.top < b.bottom && b.top < a.bottom));
  return {inside, touch, bars: s.querySelectorAll('rect').length, width: box.width};
});
return {svg, scripts: document.scripts.length, fetched: performance.getEntriesByType('resource').length,
  over: document.documentElement.scrollWidth - document.documentElement.clientWidth, text: document.body.innerText};
"""


@pytest.mark.full
def test_in_chromium(gateway, tmp_path):
    """Nothing is cut off or written over another thing, on a screen and on paper; nothing is fetched or run."""
    from browser import browser

    rich, real = tmp_path / "rich.html", tmp_path / "real.html"
    rich.write_bytes(
        subprocess.run([PLAIN / "tests/unit/cli/test-cli-cost", FIXTURE, "html"], check=True, capture_output=True).stdout
    )
    assert gateway.screen("cost", "report", "--format", "html", "--out", real)[0] == 0
    with browser() as b:
        for page in (rich, real):
            b.open(page)
            for width in (800, 1280):
                b.size(width, 1400)
                seen = b.run(LAYOUT)
                assert seen["scripts"] == 0 and seen["fetched"] == 0
                assert seen["over"] <= 0, f"{page.name} is cut off at {width}: {seen['over']}"
                assert len(seen["svg"]) == 3
                assert all(s["inside"] and not s["touch"] and s["width"] > 400 for s in seen["svg"]), seen["svg"]
            assert len(b.screenshot()) > 20000
            pdf = b.pdf()
            assert 1 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 6
        assert HOSTILE in b.run("return document.body.innerText")
        b.open(rich)
        assert b.run(LAYOUT)["svg"][0]["bars"] >= 12
