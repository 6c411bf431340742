# SPDX-License-Identifier: Apache-2.0
"""Works out bills with decimals, apart from the program's own arithmetic.

bill_oracle.py CASE...          checks what the cases expect
bill_oracle.py --program PROGRAM --seed N --count N
                                makes up cases, works them out, and has
                                PROGRAM (test-cost-charges) compare its own
"""
import argparse
import datetime
import decimal
import pathlib
import random
import subprocess
import sys
import tempfile

D = decimal.Decimal
UNIT = D('0.0000000001')
GB = 2**30
MONTH = 730 * 3600
SPEEDS = ('standard', 'bulk', 'expedited')
COLUMNS = {
    'storage': 'storage', 'disk': 'storage', 'put': 'requests',
    'get': 'requests', 'read': 'retrieval', 'egress': 'transfer',
    'early': 'early_deletion', 'small': 'minimum_size',
    'overhead': 'minimum_size', 'overhead_standard': 'minimum_size',
    'held': 'retrieval'}
for speed in SPEEDS:
    COLUMNS['restored.' + speed] = 'retrieval'
    COLUMNS['restores.' + speed] = 'retrieval'
KEPT = ('storage', 'early', 'small', 'overhead', 'overhead_standard', 'held')


def money(amount):
    return amount.quantize(UNIT, rounding=decimal.ROUND_HALF_UP)


def product(text):
    result = 1
    for factor in text.split('*'):
        result *= int(factor)
    return result


class Case:
    def __init__(self, text):
        self.egress, self.egress_steps = D(0), []
        self.classes, self.disk, self.rate, self.vat = {}, None, D(1), D(0)
        self.uses, self.expected = [], {}
        for line in text.splitlines():
            words = line.split('#')[0].split()
            if words:
                getattr(self, 'read_' + words[0])(*words[1:])

    def read_table(self, currency):
        self.currency = currency

    def read_egress(self, price):
        self.egress = D(price)

    def read_egress_step(self, above, price):
        self.egress_steps.append((int(above), D(price)))

    def read_class(self, name, *prices):
        names = ('storage', 'put', 'get', 'read')
        self.classes[name] = {
            key: D(0 if p == '-' else p) for key, p in zip(names, prices)}
        self.classes[name]['steps'] = []

    def read_step(self, name, above, price):
        self.classes[name]['steps'].append((int(above) * MONTH, D(price)))

    def read_recall(self, name, speed, gb, request):
        self.classes[name]['restored.' + speed] = D(gb)
        self.classes[name]['restores.' + speed] = D(request)

    def read_disk(self, price):
        self.disk = D(price)

    def read_report(self, currency, rate):
        self.rate = D(rate)

    def read_vat(self, percent):
        self.vat = D(percent)

    def read_use(self, date, name, cause, *items):
        use = {k: product(v) for k, v in (i.split('=') for i in items)}
        self.uses.append((datetime.date.fromisoformat(date), name, use))

    def read_expect(self, column, amount):
        self.expected[column] = D(amount)

    def items(self, name, use):
        """What is charged for: item, quantity."""
        archive = any(k.startswith('restored.')
                      for k in self.classes.get(name, ()))
        for key, quantity in use.items():
            if key in ('put', 'list'):
                yield 'put', quantity
            elif key in ('get', 'head'):
                yield 'get', quantity
            elif key == 'in':
                yield 'egress', quantity
                if not archive:
                    yield 'read', quantity
            elif key not in ('out', 'delete'):
                yield key, quantity

    def figure(self, name, item):
        """Key that items of one price share; price, steps, raw units."""
        if item == 'egress':
            return 'egress', self.egress, self.egress_steps, GB
        if item == 'disk':
            return 'disk', self.disk, [], 10**12 * MONTH
        if item in ('held', 'overhead_standard'):
            name = 'STANDARD'
        if item in KEPT:
            c = self.classes[name]
            return (name, 'storage'), c['storage'], c['steps'], GB * MONTH
        per = 1000 if item in ('put', 'get') or 'restores' in item else GB
        return (name, item), self.classes[name].get(item, D(0)), [], per

    def bill(self):
        """Columns, and how far each may be off: lines share roundings."""
        pools = {}
        for date, name, use in self.uses:
            for item, quantity in self.items(name, use):
                key, *terms = self.figure(name, item)
                pool = pools.setdefault(
                    (date.year, date.month, key), (terms, {}))
                pool[1][item] = pool[1].get(item, 0) + quantity
        columns, total = {}, D(0)
        for (_, _, key), ((price, steps, per), used) in pools.items():
            whole = sum(used.values())
            amount = D(0)
            bounds = [(0, price)] + steps + [(whole, D(0))]
            for (at, p), (upto, _) in zip(bounds, bounds[1:]):
                part = min(upto, whole) - min(at, whole)
                amount += money(D(part) * p / per)
            if key != 'disk':
                amount = money(amount * self.rate)
            total += amount
            for item, quantity in used.items():
                column = COLUMNS[item]
                share = amount * quantity / whole if whole else D(0)
                columns[column] = columns.get(column, D(0)) + share
        columns = {k: v for k, v in columns.items() if v}
        return columns, total, money(total * self.vat / 100)


def check(path):
    case = Case(path.read_text())
    columns, total, vat = case.bill()
    wrong = []
    for name in set(columns) | set(case.expected) - {'vat'}:
        got = money(columns.get(name, D(0)))
        if got != case.expected.get(name, D(0)):
            wrong.append(f'{path.name}: {name} is {got}')
    if total != sum(v for k, v in case.expected.items() if k != 'vat'):
        wrong.append(f'{path.name}: the total is {total}')
    if vat != case.expected.get('vat', D(0)):
        wrong.append(f'{path.name}: VAT is {vat}')
    return wrong


def make(r):
    """A table and a use, made up; the total is expected exactly."""
    def price(most):
        return f'{r.randrange(10**10 * most) / 10**10:.10f}'
    lines = ['table USD', f'egress {price(1)}']
    if r.random() < .5:
        lines.append(f'egress_step {r.randrange(1 << 38)} {price(1)}')
    lines.append(f'class STANDARD {price(1)} {price(1)} {price(1)} 0')
    lines.append(f'class COOL {price(1)} {price(1)} {price(1)} {price(1)}')
    lines.append(f'class DEEP {price(1)} {price(1)} {price(1)} -')
    above = 0
    for _ in range(r.randrange(4)):
        above += r.randrange(1, 1 << 46)
        lines.append(f'step {r.choice(("STANDARD",))} {above} {price(1)}')
    for speed in SPEEDS:
        lines.append(f'recall DEEP {speed} {price(1)} {price(12)}')
    lines += [f'disk {price(20)}', f'report GBP {price(2)}',
              f'vat {r.randrange(30)}']
    for _ in range(r.randrange(1, 12)):
        day = f'2026-{r.choice((11, 12))}-{r.randrange(1, 31):02}'
        name = r.choice(('STANDARD', 'COOL', 'DEEP'))
        items = {}
        for key in r.sample(KEPT, r.randrange(4)):
            items[key] = r.randrange(1 << r.randrange(1, 72))
        for key in r.sample(('put', 'list', 'get', 'head', 'delete'), 2):
            items[key] = r.randrange(1 << r.randrange(1, 40))
        for key in r.sample(('in', 'out'), r.randrange(2)):
            items[key] = r.randrange(1 << r.randrange(1, 50))
        if name == 'DEEP':
            speed = r.choice(SPEEDS)
            items['restored.' + speed] = r.randrange(1 << 45)
            items['restores.' + speed] = r.randrange(1 << 20)
        cause = r.choice(('read', 'recall', 'policy', 'protect', '-'))
        lines.append(f'use {day} {name} {cause} ' + ' '.join(
            f'{k}={v}' for k, v in items.items()))
    lines.append(f'use 2026-11-30 DISK - disk={r.randrange(1 << 70)}')
    columns, total, vat = Case('\n'.join(lines)).bill()
    lines.append(f'expect total {total:.10f}')
    lines.append(f'expect vat {vat:.10f}')
    for name, amount in sorted(columns.items()):
        lines.append(f'expect ~{name} {amount:.10f}')
    return '\n'.join(lines) + '\n'


def main():
    decimal.getcontext().prec = 80
    parser = argparse.ArgumentParser()
    parser.add_argument('case', nargs='*', type=pathlib.Path)
    parser.add_argument('--program')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--count', type=int, default=20)
    args = parser.parse_args()
    wrong = [w for path in args.case for w in check(path)]
    print('\n'.join(wrong))
    if args.program and not wrong:
        r = random.Random(args.seed)
        with tempfile.TemporaryDirectory() as tmp:
            paths = []
            for i in range(args.count):
                paths.append(pathlib.Path(tmp, f'{args.seed}-{i}.case'))
                paths[-1].write_text(make(r))
            return subprocess.run([args.program, *paths],
                                  timeout=120).returncode
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
