# Fits the customers on standard input (x, t_x and T in days) by pymc-marketing's
# maximum a posteriori and prints the CPU seconds of each model as JSON. Each is
# fitted twice, because the first time compiles; the second counts.
import csv
import json
import logging
import os
import sys
import time

import pandas

logging.disable(logging.CRITICAL)
answer = sys.stdout
sys.stdout = open(os.devnull, "w")  # it draws its progress
from pymc_marketing.clv import BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel  # noqa: E402

rows = [[i, *(float(v) for v in row)] for i, row in enumerate(csv.reader(sys.stdin))]
data = pandas.DataFrame(rows, columns=["customer_id", "frequency", "recency", "T"])
data[["recency", "T"]] /= 7
seconds = {}
for name, model in ("BG/NBD", BetaGeoModel), ("MBG/NBD", ModifiedBetaGeoModel), ("Pareto/NBD", ParetoNBDModel):
    for _ in range(2):
        begin = time.process_time()
        model(data=data).fit(method="map")
        seconds[name] = time.process_time() - begin
json.dump(seconds, answer)
