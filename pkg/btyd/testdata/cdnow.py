"""Sums up the CDNOW sample for the calibration period to 1997-09-30, one customer per line, for the tests of btyd.

    python cdnow.py < ../../../services/perennial/cdnow/CDNOW_sample.txt > cdnow.csv

Columns: x (repeat transactions; purchases of one day are one, the first day is left out), tx and T in days since the
first purchase, cents spent in the repeat transactions, and transactions in the holdout period to 1998-06-30.
"""
import sys
from collections import defaultdict
from datetime import date

CALIBRATION_END = date(1997, 9, 30)
HOLDOUT_END = date(1998, 6, 30)

days = defaultdict(lambda: defaultdict(int))
for line in sys.stdin:
    _, customer, day, _, amount = line.split()
    dollars, cents = amount.split(".")
    days[customer][date(int(day[:4]), int(day[4:6]), int(day[6:]))] += 100 * int(dollars) + int(cents)

print("x,tx_days,t_days,repeat_cents,holdout_x")
for customer in sorted(days):
    spent = days[customer]
    first = min(spent)
    repeats = sorted(d for d in spent if first < d <= CALIBRATION_END)
    last = repeats[-1] if repeats else first
    holdout = sum(CALIBRATION_END < d <= HOLDOUT_END for d in spent)
    print(len(repeats), (last - first).days, (CALIBRATION_END - first).days, sum(spent[d] for d in repeats), holdout, sep=",")
