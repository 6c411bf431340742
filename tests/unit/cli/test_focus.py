# SPDX-License-Identifier: Apache-2.0
"""What test-cli-cost writes as FOCUS conforms, and what is wrong is found: test_focus.py PROGRAM FIXTURE"""

import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "mount"))
import focus  # noqa: E402


def must_fail(text, old, new):
    """The conformance test finds what was broken on purpose."""
    assert old in text, old
    try:
        focus.check(text.replace(old, new, 1))
    except (AssertionError, ValueError):
        return
    raise SystemExit(f"{old!r} became {new!r}, and nobody noticed")


def main():
    program, fixture = sys.argv[1:]
    text = subprocess.run([program, fixture, "focus"], check=True, capture_output=True).stdout.decode()
    report = json.loads(pathlib.Path(fixture).read_text())
    rows = focus.check(text)
    focus.check_sums(rows, report)
    assert len(rows) == len(report["lines"]) + len(report["vat"]["lines"])
    must_fail(text, "BilledCost,BillingAccountId", "BillingAccountId,BilledCost")
    must_fail(text, ",Usage,", ",Use,")
    must_fail(text, ",Usage,,", ",Usage,N/A,")
    must_fail(text, "2026-12-01T00:00:00Z", "2026-12-01")
    must_fail(text, ",GBP,", ",Pounds,")
    must_fail(text, ",GiB-Months,", ",gib-months,")
    must_fail(text, "0.3950000000", "0.3950000001")
    must_fail(text, '"{""tier""', '"[{""tier""')
    must_fail(text, ",gw1.example,", ",,")
    must_fail(text, "x_Cause", "Cause")


if __name__ == "__main__":
    main()
