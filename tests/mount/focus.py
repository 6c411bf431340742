# SPDX-License-Identifier: Apache-2.0
"""
Conformance of a CSV with FOCUS 1.2, as far as the specification can be checked
from a file: columns and their order, nulls, enumerations, formats, and that
unit price times quantity is the cost. (The columns' own pages of the
specification, FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, say the rules.)
"""

import csv
import datetime
import io
import json
import re
from decimal import Decimal

MANDATORY = """BilledCost BillingAccountId BillingAccountName BillingCurrency BillingPeriodEnd BillingPeriodStart
ChargeCategory ChargeClass ChargeDescription ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost
InvoiceIssuerName ListCost PricingQuantity PricingUnit ProviderName PublisherName ServiceCategory ServiceName""".split()
OPTIONAL = """ChargeFrequency ConsumedQuantity ConsumedUnit ContractedUnitPrice InvoiceId ListUnitPrice PricingCategory
RegionId RegionName ResourceId ResourceName ResourceType ServiceSubcategory SkuId SkuMeter SkuPriceId SubAccountId
SubAccountName SubAccountType Tags""".split()
NEXT = ["HostProviderName", "ServiceProviderName"]  # of 1.3
NEVER_NULL = """BilledCost BillingAccountId BillingCurrency BillingPeriodEnd BillingPeriodStart ChargeCategory
ChargeFrequency ChargePeriodEnd ChargePeriodStart ContractedCost EffectiveCost InvoiceIssuerName ListCost ProviderName
PublisherName ServiceCategory ServiceName ServiceSubcategory""".split()
USAGE_NOT_NULL = """ConsumedQuantity ConsumedUnit ContractedUnitPrice ListUnitPrice PricingCategory PricingQuantity
PricingUnit SkuId SkuMeter SkuPriceId""".split()
ENUMS = {
    "ChargeCategory": {"Usage", "Purchase", "Tax", "Credit", "Adjustment"},
    "ChargeClass": {"", "Correction"},
    "ChargeFrequency": {"One-Time", "Recurring", "Usage-Based"},
    "PricingCategory": {"", "Standard", "Dynamic", "Committed", "Other"},
    "ServiceCategory": {"Storage"},
    "ServiceSubcategory": {"Object Storage", "File Storage"},
}
COSTS = ["BilledCost", "ContractedCost", "EffectiveCost", "ListCost"]
PRICES = ["ContractedUnitPrice", "ListUnitPrice"]
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
UNIT = re.compile(r"([1-9][0-9]* )?(Requests|GiB|TB|GB)|(GiB|GB|TB)-(Hours|Months)")


def when(text):
    assert TIME.fullmatch(text), f"not ISO 8601 in UTC: {text!r}"
    return datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")


def check_header(names):
    assert len(set(names)) == len(names), "a column comes twice"
    ours = [n for n in names if n.startswith("x_")]
    theirs = [n for n in names if not n.startswith("x_")]
    assert names == theirs + ours, "FOCUS columns come first"
    assert theirs == sorted(theirs) and ours == sorted(ours)
    assert not set(MANDATORY) - set(theirs), set(MANDATORY) - set(theirs)
    assert set(theirs) <= set(MANDATORY + OPTIONAL + NEXT), set(theirs) - set(MANDATORY + OPTIONAL + NEXT)
    assert all(re.fullmatch(r"(x_)?[A-Z][A-Za-z0-9]{0,49}", n) for n in names)


def check_times(r):
    first, last = when(r["BillingPeriodStart"]), when(r["BillingPeriodEnd"])
    start, end = when(r["ChargePeriodStart"]), when(r["ChargePeriodEnd"])
    assert first.day == 1 and last.day == 1 and first < last <= first + datetime.timedelta(31)
    assert first <= start < end <= last


def check_numbers(r):
    for name in COSTS + PRICES + ["ConsumedQuantity", "PricingQuantity", "x_KgCO2e"]:
        assert not r[name] or NUMBER.fullmatch(r[name]), (name, r[name])
    for name in PRICES:
        assert not r[name] or Decimal(r[name]) >= 0
    assert (r["PricingUnit"] == "") == (r["PricingQuantity"] == "")
    for name in ("PricingUnit", "ConsumedUnit"):
        assert not r[name] or UNIT.fullmatch(r[name]), (name, r[name])


def check_product(r):
    """Prices have ten places, quantities eighteen: the product is as exact."""
    cost = Decimal(r["ListCost"])
    product = Decimal(r["ListUnitPrice"]) * Decimal(r["PricingQuantity"])
    off = Decimal("2e-10") + Decimal(r["PricingQuantity"]) * Decimal("5e-11") + abs(cost) * Decimal("1e-5")
    assert abs(product - cost) <= off, (r["ChargeDescription"], product, cost)


def check_row(r):
    for name, cell in r.items():
        assert cell not in ("N/A", "None", "null", "NULL", "Not Applicable", "-"), (name, cell)
    for name in NEVER_NULL:
        assert r[name], f"{name} is null"
    for name, allowed in ENUMS.items():
        assert r[name] in allowed, (name, r[name])
    assert re.fullmatch("[A-Z]{3}", r["BillingCurrency"])
    tax = r["ChargeCategory"] == "Tax"
    for name in USAGE_NOT_NULL:
        assert (r[name] == "") == tax, (name, r[name], r["ChargeCategory"])
    assert r["InvoiceId"] == "", "an estimate is on no invoice"
    tags = json.loads(r["Tags"])
    assert isinstance(tags, dict) and not any(isinstance(v, (dict, list)) for v in tags.values())
    check_times(r)
    check_numbers(r)
    if not tax:
        check_product(r)
    assert len({Decimal(r[name]) for name in COSTS}) == 1


def check(text):
    """Checks a file; returns its rows."""
    assert not text.startswith("\ufeff") and text.endswith("\r\n")
    table = list(csv.reader(io.StringIO(text, newline=""), strict=True))
    check_header(table[0])
    assert all(len(r) == len(table[0]) for r in table)
    rows = [dict(zip(table[0], r)) for r in table[1:]]
    for r in rows:
        check_row(r)
    meters = {}
    for r in rows:
        assert meters.setdefault(r["SkuId"], (r["SkuMeter"], r["SkuPriceId"])) == (r["SkuMeter"], r["SkuPriceId"])
    return rows


def check_sums(rows, report):
    """Charges are the report's total and taxes its VAT, to the last unit; by trust, too."""
    usage = [r for r in rows if r["ChargeCategory"] == "Usage"]
    taxes = [r for r in rows if r["ChargeCategory"] == "Tax"]
    assert {r["BillingCurrency"] for r in rows} <= {report["currency"]}
    assert sum(Decimal(r["BilledCost"]) for r in usage) == Decimal(report["totals"]["total"]["amount"])
    assert sum(Decimal(r["BilledCost"]) for r in taxes) == Decimal(report["vat"]["total"]["amount"])
    for trust in {r["trust"] for r in report["rows"]}:
        ours = sum(Decimal(r["total"]["amount"]) for r in report["rows"] if r["trust"] == trust)
        assert sum(Decimal(r["BilledCost"]) for r in usage if r["SubAccountId"] == trust) == ours
