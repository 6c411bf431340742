#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Runs the simulator and makes a bill of its own from the requests that left
for the stores: how long each object was there, how small it was, how early it
went, which requests there were. The ledger and the report must agree, and each
day must add up.

Usage: bill.py SIM DAYS FULL-DAYS [DIRECTORY]
(With MERSEY_FULL=1 it is FULL-DAYS.)
"""
import csv
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

SECOND = 10**9
DAY = 86400
GB_MONTH = 2**30 * 730 * 3600  # byte-seconds
UNIT = Fraction(1, 10**10)
# Kinds of items in the ledger: meta/tiering.h.
EARLY, SMALL, OVERHEAD, OVERHEAD_STANDARD, HELD, RESTORED = range(6)
RESTORES, DISK = 8, 11
KINDS = {EARLY: 'early', SMALL: 'small', OVERHEAD: 'overhead',
         OVERHEAD_STANDARD: 'overhead as STANDARD', HELD: 'copies', DISK: 'disk'}
COLUMNS = 'storage requests retrieval transfer early small total'.split()

failures = []


def check(ok, *what):
    if not ok:
        failures.append(' '.join(map(str, what)))


def near(what, ours, theirs, relative, least=0):
    """`theirs` is the same, but for what a second here and there makes."""
    allowed = max(abs(ours) * relative, least)
    check(abs(ours - theirs) <= allowed,
          f'{what}: {float(ours):.9g} by requests, {float(theirs):.9g} by the ledger')


def rows(path):
    with open(path, newline='') as f:
        return list(csv.DictReader(f))


class Object:
    """One object from its PUT to its end, and its restored copy."""

    def __init__(self, tier, terms, size, ns):
        self.tier, self.terms, self.size, self.ns = tier, terms, size, ns
        self.billed = max(size, terms['bytes'])
        self.copy = None  # (ready, until)
        self.copies = 0  # byte-nanoseconds of those that ended

    def order(self, ns, days, speed):
        ready = ns
        if not (self.copy and self.copy[0] <= ns < self.copy[1]):
            ready += self.terms['recall'][speed]['seconds'] * SECOND
        self.end_copy(ns)
        self.copy = (ready, ready + days * DAY * SECOND)

    def end_copy(self, ns):
        if self.copy:
            self.copies += self.size * max(0, min(self.copy[1], ns) - self.copy[0])
        self.copy = None


class Bill:
    """Quantities by tier, and by tier and cause."""

    def __init__(self, terms):
        self.terms = terms
        self.requests = defaultdict(int)  # (tier, cause, what)
        self.time = defaultdict(int)  # (tier, what): byte-nanoseconds
        self.day = defaultdict(int)  # (tier, day): the same, of bytes
        self.count = defaultdict(int)  # (tier, what)
        self.there = {}

    def table(self, tier):
        return self.terms[self.terms['tiers'][tier]['table']]

    def object(self, row):
        place = self.terms['tiers'][row['tier']]['place']
        return (place, row['key'])

    def take(self, row):
        ns, tier, op = int(row['ns']), row['tier'], row['op']
        key = self.object(row)
        what = {'put': 'puts', 'copy': 'puts', 'get': 'gets', 'head': 'heads',
                'list': 'lists'}.get(op)
        if what:
            self.requests[tier, row['cause'], what] += 1
        if op == 'get':
            self.requests[tier, row['cause'], 'in_bytes'] += int(row['bytes'])
        if row['rc'] != '0':
            return
        if op in ('put', 'copy'):
            self.end(key, ns)
            self.there[key] = Object(tier, self.table(tier)['classes'][row['class']],
                                     int(row['bytes']), ns)
        elif op == 'delete':
            self.end(key, ns)
        elif op == 'restore':
            self.order(self.there[key], row, ns)

    def order(self, o, row, ns):
        speed = int(row['speed'])
        self.count[o.tier, RESTORED + speed] += o.size
        self.count[o.tier, RESTORES + speed] += 1
        o.order(ns, int(row['days']), speed)

    def end(self, key, ns, deleted=True):
        o = self.there.pop(key, None)
        if not o:
            return
        t, age = o.terms, ns - o.ns
        self.time[o.tier, 'storage'] += o.size * age
        self.time[o.tier, SMALL] += (o.billed - o.size) * age
        self.time[o.tier, OVERHEAD] += t['overhead'] * age
        self.time[o.tier, OVERHEAD_STANDARD] += t['overhead_standard'] * age
        if deleted:
            self.time[o.tier, EARLY] += o.billed * max(0, t['days'] * DAY * SECOND - age)
        o.end_copy(ns)
        self.time[o.tier, HELD] += o.copies
        self.days(o, ns)

    def days(self, o, ns):
        at = o.ns
        while at < ns:
            day = at // (DAY * SECOND)
            until = min(ns, (day + 1) * DAY * SECOND)
            self.day[o.tier, day] += o.size * (until - at)
            at = until

    def close(self, ns):
        for key in list(self.there):
            self.end(key, ns, deleted=False)

    # ---- money ----

    def charges(self, tier):
        table = self.table(tier)
        t = table['classes'][self.terms['tiers'][tier]['class']]
        standard = table['classes']['STANDARD']

        def asked(what):
            return sum(n for (a, _, w), n in self.requests.items() if a == tier and w == what)

        def kept(what, price):
            return Fraction(self.time[tier, what], SECOND * GB_MONTH) * Fraction(price)

        got = Fraction(asked('in_bytes'), 2**30)
        c = {'storage': kept('storage', t['storage']),
             'requests': (Fraction(asked('puts') + asked('lists'), 1000) * Fraction(t['put'])
                          + Fraction(asked('gets') + asked('heads'), 1000) * Fraction(t['get'])),
             'retrieval': kept(HELD, standard['storage']),
             'transfer': got * Fraction(table['egress']),
             'early': kept(EARLY, t['storage']),
             'small': (kept(SMALL, t['storage']) + kept(OVERHEAD, t['storage'])
                       + kept(OVERHEAD_STANDARD, standard['storage']))}
        if not t['archive']:
            c['retrieval'] += got * Fraction(t['read'])
        for speed, r in enumerate(t['recall']):
            c['retrieval'] += (
                Fraction(self.count[tier, RESTORED + speed], 2**30) * Fraction(r['gb'])
                + Fraction(self.count[tier, RESTORES + speed], 1000) * Fraction(r['request']))
        c['total'] = sum(c.values())
        return c


def disk_time(directory):
    """Byte-nanoseconds of what was local: it was as it is noted until the
    next note."""
    total, before = 0, None
    for row in rows(directory / 'disk.csv'):
        if before:
            total += before[1] * (int(row['ns']) - before[0])
        before = int(row['ns']), int(row['bytes'])
    return total


def compare_requests(bill, ledger):
    theirs = defaultdict(int)
    for row in ledger:
        for what in ('puts', 'gets', 'heads', 'lists', 'in_bytes'):
            theirs[row['tier'], row['cause'], what] += int(row[what])
    for key in bill.requests.keys() | theirs.keys():
        check(bill.requests[key] == theirs[key],
              f'{" ".join(key)}: {bill.requests[key]} left, {theirs[key]} are in the ledger')


def compare_bytes(bill, ledger):
    theirs, by_day = defaultdict(int), defaultdict(int)
    for row in ledger:
        theirs[row['tier']] += int(row['byte_seconds'])
        by_day[row['tier'], int(row['day'])] += int(row['byte_seconds'])
    for tier in bill.terms['tiers']:
        near(f'{tier} byte-seconds', bill.time[tier, 'storage'] / SECOND, theirs[tier], 2e-4)
    for key in bill.day.keys() | by_day.keys():
        near(f'{key[0]} byte-seconds of day {key[1]}', bill.day[key] / SECOND, by_day[key], 1e-3,
             # Where a day has only its first moments.
             least=max(bill.day.values()) / SECOND * 1e-3)


def compare_items(bill, items, local):
    theirs = defaultdict(int)
    for row in items:
        kind = int(row['kind'])
        whole = int(row['whole'])
        theirs[row['tier'], kind] += whole * 3600 + int(row['rest']) if kind in KINDS else whole
    for tier in bill.terms['tiers']:
        for kind in (SMALL, OVERHEAD, OVERHEAD_STANDARD, EARLY, HELD):
            # A copy may be seen half an hour late, of a week.
            near(f'{tier} {KINDS[kind]}', bill.time[tier, kind] / SECOND, theirs[tier, kind],
                 5e-3 if kind == HELD else 1e-3)
        for speed in range(3):
            for kind in (RESTORED + speed, RESTORES + speed):
                check(bill.count[tier, kind] == theirs[tier, kind],
                      f'{tier} item {kind}: {bill.count[tier, kind]} by requests, '
                      f'{theirs[tier, kind]} in the ledger')
    near('local disk', local / SECOND, theirs['local', DISK], 1e-3)


def compare_money(bill, report):
    theirs = {r['name']: r for r in report if r['by'] == 'tier'}
    check(theirs.keys() >= bill.terms['tiers'].keys(), 'the report lacks a tier')
    for tier in bill.terms['tiers']:
        ours = bill.charges(tier)
        for column in COLUMNS:
            near(f'{tier} {column}, money', ours[column], Fraction(theirs[tier][column]),
                 5e-3 if column == 'retrieval' else 1e-3, least=100 * UNIT)


def check_sums(report):
    """Rows are their total, whatever they are divided by; columns are theirs."""
    totals = {}
    sums = defaultdict(Fraction)
    for r in report:
        period = r['from'], r['to']
        check(sum(Fraction(r[c]) for c in COLUMNS[:-1]) == Fraction(r['total']),
              f'{period} {r["by"]} {r["name"]}: the columns are not its total')
        for c in COLUMNS:
            if r['name'] != 'total':
                sums[period, r['by'], c] += Fraction(r[c])
                continue
            check(sums[period, r['by'], c] == Fraction(r[c]),
                  f'{period} by {r["by"]}: {c} is not the sum of the rows')
            # Rounding leaves a unit in this column or in that, each month.
            apart = abs(Fraction(totals.setdefault((period, c), r[c])) - Fraction(r[c]))
            months = (int(r['to']) - int(r['from'])) // 30 + 1
            check(apart <= (0 if c == 'total' else 6 * months * UNIT),
                  f'{period}: {c} by {r["by"]} differs from that by another')


def check_days(report, first, last):
    """All days are the whole, but for what rounding leaves."""
    days = [r for r in report if r['by'] == 'tier' and r['name'] == 'total']
    whole = [r for r in days if int(r['to']) - int(r['from']) > 1]
    parts = [r for r in days if int(r['to']) - int(r['from']) == 1]
    check(len(whole) == 1 and len(parts) == last - first, 'days are missing in the report')
    for c in COLUMNS:
        parted = sum(Fraction(r[c]) for r in parts)
        check(abs(parted - Fraction(whole[0][c])) <= 40 * len(parts) * UNIT,
              f'{c}: {float(parted)} by day, {whole[0][c]} as a whole')


def compare_plans(directory):
    """What a plan foretold of the month after it, within two per cent."""
    print('day     files      bytes    predicted       ledger  differs')
    for r in rows(directory / 'plans.csv'):
        want, got = Fraction(r['predicted']), Fraction(r['ledger'])
        print(f'{r["day"]:5} {r["files"]:>7} {r["bytes"]:>10} {float(want):12.6f} '
              f'{float(got):12.6f} {float(100 * (got - want) / want):+7.2f}%')
        # 2 % are promised. It is far closer, and so a mistake is seen.
        check(abs(got - want) * 100 <= want, f'plan of day {r["day"]}: more than 1 % off')
        check(int(r['files']) > 0, f'plan of day {r["day"]}: nothing to move')


def check_studies(report):
    """Every file is of a study, also in packs that hold some of several. One
    that protect takes before its header was read is not known to be."""
    whole = max(int(r['to']) - int(r['from']) for r in report)
    cost = {r['name']: Fraction(r['total']) for r in report
            if r['by'] == 'modality' and int(r['to']) - int(r['from']) == whole}
    check(cost.get('no study', 0) * 4 < cost['total'], 'most bytes are of no study')


def bill_of(directory):
    bill = Bill(json.loads((directory / 'terms.json').read_text()))
    for row in sorted(rows(directory / 'requests.csv'), key=lambda r: int(r['ns'])):
        bill.take(row)
    bill.close(bill.terms['end_ns'])
    return bill


def show(bill):
    print(f'{"tier":6} ' + ' '.join(f'{c:>12}' for c in COLUMNS))
    for tier in bill.terms['tiers']:
        c = bill.charges(tier)
        print(f'{tier:6} ' + ' '.join(f'{float(c[k]):12.6f}' for k in COLUMNS))


def judge(directory):
    bill = bill_of(directory)
    ledger, items = rows(directory / 'ledger.csv'), rows(directory / 'items.csv')
    report = rows(directory / 'report.csv')
    first, last = int(report[0]['from']), int(report[0]['to'])
    compare_requests(bill, ledger)
    compare_bytes(bill, ledger)
    compare_items(bill, items, disk_time(directory))
    compare_money(bill, [r for r in report if int(r['to']) == last and int(r['from']) == first])
    check_sums(report)
    check_days(report, first, last)
    check_studies(report)
    show(bill)
    compare_plans(directory)


def main():
    sim, days, full_days = sys.argv[1:4]
    thin = '400'
    if os.environ.get('MERSEY_FULL'):
        days, thin = full_days, '600'
    with tempfile.TemporaryDirectory(prefix='mersey-sim-') as temporary:
        directory = Path(sys.argv[4] if len(sys.argv) > 4 else temporary)
        subprocess.run([sim, directory, days, thin], check=True)
        judge(directory)
    for text in failures[:40]:
        print(text)
    print(f'{len(failures)} differences')
    sys.exit(bool(failures))


main()
