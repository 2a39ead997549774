"""Reference values of sBG, BdW and BG/BB for package btyd, exact to 20 digits, from the formulas as published, by mpmath.

    pip install mpmath && python contract.py > contract.tsv
"""
from mpmath import beta, hyp2f1, log, loggamma, mp, mpf, nstr

mp.dps = 60


def row(kind, *cells):
    print("\t".join([kind] + [c if isinstance(c, str) else nstr(c, 20) for c in cells]))


print("# What\tparameters\targuments\tvalue")
for v_ in (".001", "1", "99.9", "100", "5000", "1e9", "1e15"):
    for a_ in ("1e-4", ".7", "12", "9000"):
        row("lnraised", v_, a_, loggamma(mpf(v_) + mpf(a_)) - loggamma(mpf(v_)))
for pair in ((".7041", "1.1820"), (".6681", "3.8061"), ("3.80", "15.20"), ("1", "1"), ("40", ".02"), ("1e-3", "9000")):
    a, b = map(mpf, pair)
    for t in (0, 1, 7, 12, 600):
        row("sbg-survival", *pair, str(t), beta(a, b + t) / beta(a, b))
        row("sbg-loglikelihood", *pair, str(t), "1", log((beta(a, b + t) - beta(a, b + t + 1)) / beta(a, b)))
        for d_ in (".1", ".005", "1e-5", "3"):
            n = t + 1
            row("sbg-derl", *pair, str(t), d_, (b + n - 1) / (a + b + n - 1) * hyp2f1(1, b + n, a + b + n, 1 / (1 + mpf(d_))))
for triple in ((".4556", ".7793", "1.2835"), (".2143", "1.4266", "1.7236"), ("2", "30", ".4"), ("40", "9000", "5"), (".001", ".1", ".05")):
    a, b, c = map(mpf, triple)
    s = lambda t: beta(a, b + mpf(t) ** c) / beta(a, b) if t else mpf(1)
    for t in (0, 1, 7, 12, 600):
        row("bdw-survival", *triple, str(t), s(t))
        row("bdw-loglikelihood", *triple, str(t), "1", log(s(t) - s(t + 1)))
        row("bdw-residual", *triple, str(t), "30", ".1", sum(s(t + 1 + j) / s(t) / mpf("1.1") ** j for j in range(30)))
for four in (("1.204", ".750", ".657", "2.783"), (".5", "8", "1", "2"), ("60", ".01", "3", "900"), (".02", "2", ".05", ".3")):
    a, b, g, d = map(mpf, four)
    for x, tx, n in ((0, 0, 0), (0, 0, 6), (1, 1, 6), (6, 6, 6), (2, 5, 6), (20, 90, 400), (300, 300, 400)):
        stay = beta(a + x, b + n - x) / beta(a, b) * beta(g, d + n) / beta(g, d)
        left = sum(beta(a + x, b + tx - x + i) / beta(a, b) * beta(g + 1, d + tx + i) / beta(g, d) for i in range(n - tx))
        hist = (str(x), str(tx), str(n))
        row("bgbb-loglikelihood", *four, *hist, log(stay + left))
        row("bgbb-palive", *four, *hist, stay * beta(g, d + n + 1) / beta(g, d + n) / (stay + left))
        h = 5
        if g != 1:
            front = beta(a + x + 1, b + n - x) / beta(a, b) * d / (g - 1) * mp.gammaprod([g + d], [1 + d])
            value = front * (mp.gammaprod([1 + d + n], [g + d + n]) - mp.gammaprod([1 + d + n + h], [g + d + n + h]))
            row("bgbb-expected", *four, *hist, str(h), value / (stay + left))
        for r_ in (".1", ".002"):
            r = mpf(r_)
            value = beta(a + x + 1, b + n - x) / beta(a, b) * beta(g, d + n + 1) / (beta(g, d) * (1 + r)) * hyp2f1(1, d + n + 1, g + d + n + 1, 1 / (1 + r))
            row("bgbb-dert", *four, *hist, r_, value / (stay + left))
