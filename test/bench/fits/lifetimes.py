# Fits the customers on standard input (x, t_x and T in days) by lifetimes and
# prints the CPU seconds of each model as JSON.
import csv
import json
import sys
import time

import pandas
from lifetimes import BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter

rows = [[float(v) for v in row] for row in csv.reader(sys.stdin)]
data = pandas.DataFrame(rows, columns=["x", "tx", "age"])
weeks = data.tx / 7, data.age / 7
seconds = {}
for name, fitter in ("BG/NBD", BetaGeoFitter), ("MBG/NBD", ModifiedBetaGeoFitter), ("Pareto/NBD", ParetoNBDFitter):
    begin = time.process_time()
    fitter(penalizer_coef=0.0).fit(data.x, *weeks)
    seconds[name] = time.process_time() - begin
json.dump(seconds, sys.stdout)
