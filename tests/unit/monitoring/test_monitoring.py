#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""The dashboard and the alert rules name metrics and labels that there are.

Usage: test_monitoring.py SOURCE_ROOT. The list of mersey-metrics(7), which
ctl-man compares with the table, says what there is.
"""
import json
import pathlib
import re
import sys

import yaml

FOREIGN = {"node_textfile_mtime_seconds": {"file"}}
METRIC = re.compile(r"\b((?:mersey|node)_[a-z_]+)\b(\{[^}]*\})?")
MATCHER = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"[^"]*"')


def table(top):
    """{name: (type, labels)}, with the series of histograms."""
    page = (top / "man/mersey-metrics.7").read_text()
    items = re.split(r"^\.It Ic ", page, flags=re.M)[1:]
    out = {}
    for item in items:
        name, kind = re.match(r"(\w+) Pq Ar (\w+)\n", item).groups()
        labels = re.search(r"^Labels:\n\.Ar (.*) \.$", item, re.M)
        labels = {"trust"} | set(labels.group(1).split(", ") if labels else ())
        if kind == "histogram":
            out[name + "_bucket"] = ("counter", labels | {"le"})
            out[name + "_sum"] = out[name + "_count"] = ("counter", labels)
        else:
            out[name] = (kind, labels)
    assert len(out) > 40
    return out


def check_expr(expr, known, where):
    bare = re.sub(r'"[^"]*"', '""', expr)
    assert bare.count("(") == bare.count(")"), where
    assert bare.count("{") == bare.count("}"), where
    labels = set()
    used = list(METRIC.finditer(expr))
    assert used, where
    for m in used:
        name, selector = m.group(1), m.group(2) or "{}"
        if name in FOREIGN:
            have = FOREIGN[name]
        else:
            assert name in known, f"{where}: there is no metric {name}"
            kind, have = known[name]
            # a counter alone says nothing but how long a process has lived
            before = expr[: m.start()]
            rated = re.search(r"(rate|increase)\($", before)
            assert rated or kind == "gauge" or name.endswith("restarts_total"), f"{where}: {name} without a rate"
            assert not rated or kind == "counter", f"{where}: rate of {name}"
        matchers = MATCHER.findall(selector)
        assert selector == "{}" or len(matchers) == selector.count('"') // 2, f"{where}: {selector}"
        for label, _ in matchers:
            assert label in have, f"{where}: {name} has no label {label}"
        labels |= have
    for group in re.findall(r"\bby \(([^)]*)\)", expr):
        for label in group.split(", "):
            assert label in labels, f"{where}: no label {label}"


def overlap(a, b):
    return (
        a["x"] < b["x"] + b["w"]
        and b["x"] < a["x"] + a["w"]
        and a["y"] < b["y"] + b["h"]
        and b["y"] < a["y"] + a["h"]
    )


def check_dashboard(top, known):
    d = json.loads((top / "config/monitoring/mersey-dashboard.json").read_text())
    panels = d["panels"]
    ids = [p["id"] for p in panels]
    assert len(set(ids)) == len(ids)
    for i, p in enumerate(panels):
        at = p["gridPos"]
        assert at["x"] + at["w"] <= 24 and p["title"]
        assert not any(overlap(at, q["gridPos"]) for q in panels[:i]), p["title"]
        if p["type"] == "row":
            continue
        assert p["targets"], p["title"]
        for t in p["targets"]:
            check_expr(t["expr"], known, p["title"])
            assert t["expr"].count('trust=~"$trust"') == len(METRIC.findall(t["expr"])), p["title"]
    variables = {v["name"] for v in d["templating"]["list"]}
    assert variables == {"datasource", "trust"}
    named = set(re.findall(r"mersey_[a-z_]+", json.dumps(d)))
    assert named <= set(known)


def check_rules(top, known):
    doc = yaml.safe_load((top / "config/monitoring/mersey-alerts.yaml").read_text())
    rules = [r for g in doc["groups"] for r in g["rules"]]
    assert len({r["alert"] for r in rules}) == len(rules) > 5
    for r in rules:
        check_expr(r["expr"], known, r["alert"])
        assert set(r) <= {"alert", "expr", "for", "labels", "annotations"}, r["alert"]
        assert r["labels"]["severity"] in ("warning", "critical")
        assert set(r["annotations"]) == {"summary", "description"}
        assert re.fullmatch(r"\d+[smh]", r.get("for", "1m"))


def check_the_check(known):
    """What should not pass does not."""
    bad = (
        "mersey_no_such_thing",
        "mersey_store_requests_total",
        "rate(mersey_files[5m])",
        'mersey_files{operation="get"}',
        "sum by (operation) (mersey_files)",
        "sum(mersey_files",
        "rate(mersey_store_request_seconds[5m])",
    )
    for expr in bad:
        try:
            check_expr(expr, known, "bad")
        except AssertionError:
            continue
        raise AssertionError(f"passes: {expr}")


def main():
    top = pathlib.Path(sys.argv[1])
    known = table(top)
    check_the_check(known)
    check_dashboard(top, known)
    check_rules(top, known)


if __name__ == "__main__":
    main()
