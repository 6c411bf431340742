# SPDX-License-Identifier: Apache-2.0
"""Prometheus text (exposition format 0.0.4), read strictly.

What a lenient reader would let through is an error here: a sample without
HELP and TYPE above it, a metric in two places, a series twice, an escape that
is none, a histogram that does not add up.
"""
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r"[a-zA-Z_][a-zA-Z0-9_]*"
VALUE = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
SAMPLE = re.compile(rf"({NAME})\{{(.*)\}} ({VALUE})")
PAIR = re.compile(rf'({LABEL})="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
ESCAPES = {"\\\\": "\\", '\\"': '"', "\\n": "\n"}


class Family:
    def __init__(self, name, help_text):
        self.name, self.help, self.type = name, help_text, None
        self.samples = {}  # (name, labels) -> value


def parse_labels(text):
    labels, at = {}, 0
    while at < len(text):
        m = PAIR.match(text, at)
        assert m, f"labels: {text!r} at {at}"
        name, value, end = m.groups()
        assert name not in labels, f"label {name} twice: {text}"
        labels[name] = re.sub(r"\\.", lambda e: ESCAPES[e.group()], value)
        at = m.end()
        assert end == "" or at < len(text), f"comma at the end: {text}"
    return labels


def check_histogram(f):
    series = {}
    for (name, labels), value in f.samples.items():
        labels = dict(labels)
        le = labels.pop("le", None)
        one = series.setdefault(tuple(sorted(labels.items())), {"le": []})
        if name == f.name + "_bucket":
            one["le"].append((float(le.replace("+Inf", "inf")), value))
        else:
            assert le is None
            one[name[len(f.name) :]] = value
    for one in series.values():
        bounds = [b for b, _ in one["le"]]
        counts = [n for _, n in one["le"]]
        assert bounds == sorted(set(bounds)) and bounds[-1] == float("inf")
        assert counts == sorted(counts)
        assert counts[-1] == one["_count"]
        assert one["_sum"] >= 0 and (one["_sum"] > 0 or one["_count"] == 0)


def parse(text):
    """{name: Family}."""
    assert text.endswith("\n")
    families, now = {}, None
    for line in text[:-1].split("\n"):
        assert line == line.strip() and line, repr(line)
        if line.startswith("# HELP "):
            name, help_text = line[7:].split(" ", 1)
            assert re.fullmatch(NAME, name) and help_text
            assert name not in families, f"{name} twice"
            assert now is None or now.samples, f"{now.name} has no samples"
            now = families[name] = Family(name, help_text)
            continue
        if line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert name == now.name and now.type is None and not now.samples
            assert kind in ("counter", "gauge", "histogram")
            now.type = kind
            continue
        m = SAMPLE.fullmatch(line)
        assert m, repr(line)
        name, value = m.group(1), float(m.group(3))
        suffixes = ("_bucket", "_sum", "_count") if now.type == "histogram" else ("",)
        assert now.type and name in [now.name + s for s in suffixes], line
        labels = parse_labels(m.group(2))
        assert labels, line
        key = (name, tuple(sorted(labels.items())))
        assert key not in now.samples, f"twice: {line}"
        now.samples[key] = value
    for f in families.values():
        if f.type == "histogram":
            check_histogram(f)
        else:
            assert (f.type == "counter") == f.name.endswith("_total"), f.name
        if f.type == "counter":
            assert all(v >= 0 for v in f.samples.values()), f.name
    return families


def value(families, metric, **labels):
    """The one sample with these labels among others."""
    want = set(labels.items())
    got = [v for (_, have), v in families[metric].samples.items() if want <= set(have)]
    assert len(got) == 1, (metric, labels, got)
    return got[0]
