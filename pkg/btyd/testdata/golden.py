"""Reference values for package btyd, exact to 25 digits, from the formulas as published, by mpmath.

    pip install mpmath && python golden.py > golden.tsv

One line per value: what, parameters, arguments, value; columns are named in the header of each kind below. Nothing here
shares a formula with the Go code where the literature has another: expectations are the closed forms, discounted
ones integrals of the published intensity, counts come from the two published terms.
"""
from mpmath import beta, betainc, exp, factorial, gamma, hyp2f1, log, loggamma, mp, mpf, nstr, quad

mp.dps = 120

# (r, alpha, a, b): published CDNOW, a near and on both sides of 1, tiny and large dropout, homogeneous, heterogeneous.
MODELS = [
    (".242594", "4.41360", ".792922", "2.425906"),
    (".243", "4.414", ".793", "2.426"),
    (".25", "4", ".8", "2.5"),
    ("1.5", "10", ".9999999", "3"),
    ("1.5", "10", "1", "3"),
    ("2", "8", "1.5", "2"),
    (".5", ".05", "3.25", "1.5"),
    ("8", "30", ".02", ".4"),
    (".3", "2", "6", "40"),
    ("25", "60", "12", "9"),
]
# (x, tx, T)
HISTORIES = [
    ("0", "0", "0"), ("0", "0", "38.86"), ("0", "0", "5217"), ("1", "1.71", "38.86"), ("2", "30.43", "38.86"),
    ("7", "20", "21"), ("64", "80", "104"), ("200", "38", "40"), ("1000", "2000", "2005"), ("10000", "5216", "5217"),
]
FUTURES = [("1", "0"), ("39", "0"), ("52.18", ".0019"), ("520", ".0027"), ("5000", ".004")]  # (h, delta)


def row(kind, *cells):
    print("\t".join([kind] + [c if isinstance(c, str) else nstr(c, 25) for c in cells]))


def p_alive(r, al, a, b, x, tx, T):
    return mpf(1) if x == 0 else 1 / (1 + a / (b + x - 1) * ((al + T) / (al + tx)) ** (r + x))


def expected_alive(r, al, a, b, x, T, h):
    if a == 1:
        a = mpf(1) + mpf(10) ** -25
    n, A = r + x, al + T
    return (a + b + x - 1) / (a - 1) * (1 - (A / (A + h)) ** n * hyp2f1(n, b + x, a + b + x - 1, h / (A + h)))


def intensity(r, al, a, b, x, T, u):
    n, A = r + x, al + T
    return n * A ** n * (A + u) ** (-n - 1) * hyp2f1(n + 1, b + x, a + b + x, u / (A + u))


def det_alive(r, al, a, b, x, T, h, d):
    A = al + T
    end = log(1 + h / A)
    panels = 2 + int(end / 2 + d * h / 4)
    f = lambda y: A * exp(y) * exp(-d * A * (exp(y) - 1)) * intensity(r, al, a, b, x, T, A * (exp(y) - 1))
    total = mpf(0)
    for i in range(panels):
        total += quad(f, [end * i / panels, end * (i + 1) / panels], method="gauss-legendre", maxdegree=4)
    return total


def pmf_alive(r, al, a, b, x, T, h, n):
    """Fader, Hardie and Lee (2005), eq. 8, for the posterior."""
    s, A, c = r + x, al + T, b + x
    stay, go = A / (A + h), h / (A + h)
    nb = lambda j: gamma(s + j) / gamma(s) / factorial(j) * stay ** s * go ** j
    value = beta(a, c + n) / beta(a, c) * nb(n)
    if n > 0:
        value += beta(a + 1, c + n - 1) / beta(a, c) * (1 - sum(nb(j) for j in range(n)))
    return value


def log_likelihood(r, al, a, b, x, tx, T):
    l = loggamma(r + x) - loggamma(r) + r * log(al) + log(beta(a, b + x) / beta(a, b))
    v = (al + T) ** -(r + x)
    if x > 0:
        v += a / (b + x - 1) * (al + tx) ** -(r + x)
    return l + log(v)


print("# What\tr\talpha\ta\tb\tx\ttx\tT\t(h\tdelta\tn)\tvalue")
for m in MODELS:
    par = [mpf(v) for v in m]
    for hist in HISTORIES:
        x, tx, T = int(hist[0]), mpf(hist[1]), mpf(hist[2])
        alive = p_alive(*par, x, tx, T)
        row("loglikelihood", *m, *hist, log_likelihood(*par, x, tx, T))
        row("palive", *m, *hist, alive)
        for h_, d_ in FUTURES:
            h, d = mpf(h_), mpf(d_)
            row("pbuys", *m, *hist, h_, alive * (1 - ((par[1] + T) / (par[1] + T + h)) ** (par[0] + x)))
            # The closed form is a small difference of large numbers where x is large.
            mp.dps = 800 if x == 10000 else 120
            row("expected", *m, *hist, h_, alive * expected_alive(*par, x, T, h))
            mp.dps = 120
            if d > 0 and x in (0, 2, 64):
                mp.dps = 20
                row("det", *m, *hist, h_, d_, alive * det_alive(*par, x, T, h, d))
                mp.dps = 120
    for hist in HISTORIES[:6]:
        x, tx, T = int(hist[0]), mpf(hist[1]), mpf(hist[2])
        alive = p_alive(*par, x, tx, T)
        for n in (0, 1, 2, 5, 30):
            p = alive * pmf_alive(*par, x, T, mpf(39), n) + (1 - alive if n == 0 else 0)
            row("pmf", *m, *hist, "39", str(n), p)

# E[(1 + p w)^-s], p ~ Beta(a, b), where the ways of computing it meet.
for a_ in ("1e-6", ".01", ".3", "1", "2.5", "30"):
    for b_ in ("1e-6", ".3", "3", "100"):
        for s_ in ("1.01", "3.5", "20", "500"):
            for w_ in ("1e-8", ".4", "2.5", "40", "3000", "1e6"):
                a, b, s, w = mpf(a_), mpf(b_), mpf(s_), mpf(w_)
                row("meanpower", a_, b_, s_, w_, (1 + w) ** -s * hyp2f1(s, b, a + b, w / (1 + w)))
for a_ in (".3", "4", "120", "30000"):
    for b_ in (".2", "7", "5000"):
        for v_ in (".001", ".3", ".97"):
            row("betaincomplete", a_, b_, v_, betainc(mpf(a_), mpf(b_), 0, mpf(v_), regularized=True))
for v_ in ("1e-7", ".3", "1", "2", "9.99", "10", "123.4", "1e6"):
    row("lgamma", v_, loggamma(mpf(v_)))
