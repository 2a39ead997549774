"""Reference values of MBG/NBD and Pareto/NBD for package btyd, exact to 20 digits, by mpmath.

    pip install mpmath && python purchase.py > purchase.tsv

The formulas are the published ones: for Pareto/NBD those with Gauss functions (Fader and Hardie 2005), of which the Go
code uses none; for MBG/NBD the closed form of the expectation (Batislam, Denizel and Filiztekin 2007). Columns as in golden.tsv.
"""
from mpmath import beta, exp, factorial, gamma, hyp2f1, log, loggamma, mp, mpf, nstr, quad

mp.dps = 60

MBG = [
    (".524843", "6.18309", ".891359", "1.614001"), (".525", "6.183", ".891", "1.614"),
    ("1.5", "10", "1", "3"), ("8", "30", ".02", ".4"), (".3", "2", "6", "40"), (".5", ".05", "3.25", "1.5"),
]
PARETO = [
    (".553277", "10.57768", ".606240", "11.66874"), (".553", "10.578", ".606", "11.669"), (".55", "10.58", ".61", "11.67"),
    ("1.5", "10", "1", "10"), (".3", ".05", "2.5", "400"), ("8", "300", ".02", ".4"), ("25", "60", "40", "9000"),
    (".02", "3", "1.7", ".03"),
]
HISTORIES = [
    ("0", "0", "0"), ("0", "0", "38.86"), ("0", "0", "5217"), ("1", "1.71", "38.86"), ("2", "30.43", "38.86"),
    ("7", "20", "21"), ("64", "80", "104"), ("132", "200", "200"), ("200", "38", "40"), ("1000", "2000", "2005"),
    ("10000", "5216", "5217"),
]
FUTURES = [("1", "0"), ("39", "0"), ("52.18", ".0019"), ("520", ".0027"), ("5000", ".004")]


def row(kind, *cells):
    print("\t".join([kind] + [c if isinstance(c, str) else nstr(c, 20) for c in cells]))


class Mbg:
    name = "mbg"

    def __init__(m, r, al, a, b):
        m.r, m.al, m.a, m.b = r, al, a, b

    def ln(m, x, tx, T):
        v = (m.al + T) ** -(m.r + x) + m.a / (m.b + x) * (m.al + tx) ** -(m.r + x)
        return loggamma(m.r + x) - loggamma(m.r) + m.r * log(m.al) + log(beta(m.a, m.b + x + 1) / beta(m.a, m.b)) + log(v)

    def alive(m, x, tx, T):
        return 1 / (1 + m.a / (m.b + x) * ((m.al + T) / (m.al + tx)) ** (m.r + x))

    def buys(m, x, T, h):
        return 1 - ((m.al + T) / (m.al + T + h)) ** (m.r + x)

    def expected(m, x, T, h):
        a = m.a if m.a != 1 else 1 + mpf(10) ** -25
        n, A = m.r + x, m.al + T
        return (a + m.b + x) / (a - 1) * (1 - (A / (A + h)) ** n * hyp2f1(n, m.b + x + 1, a + m.b + x, h / (A + h)))

    def intensity(m, x, T, u):
        n, A = m.r + x, m.al + T
        return n * A ** n * (A + u) ** (-n - 1) * hyp2f1(n + 1, m.b + x + 1, m.a + m.b + x + 1, u / (A + u))

    def pmf(m, x, T, h, n):
        s, A, c = m.r + x, m.al + T, m.b + x + 1
        nb = lambda j: gamma(s + j) / gamma(s) / factorial(j) * (A / (A + h)) ** s * (h / (A + h)) ** j
        value = beta(m.a, c + n) / beta(m.a, c) * nb(n)
        if n > 0:
            value += beta(m.a + 1, c + n - 1) / beta(m.a, c) * (1 - sum(nb(j) for j in range(n)))
        return value


class Pareto:
    name = "pareto"

    def __init__(m, r, al, s, be):
        m.r, m.al, m.s, m.be = r, al, s, be

    def half(m, x, t):
        """The integral of (α+u)^−(r+x) (β+u)^−(s+1) from t on, times r+s+x."""
        c, M = m.r + m.s + x, max(m.al, m.be)
        k = m.s + 1 if m.al >= m.be else m.r + x
        return hyp2f1(c, k, c + 1, abs(m.al - m.be) / (M + t)) / (M + t) ** c

    def stays(m, x, T):
        return (m.al + T) ** -(m.r + x) * (m.be + T) ** -m.s

    def ln(m, x, tx, T):
        v = m.stays(x, T) + m.s / (m.r + m.s + x) * (m.half(x, tx) - m.half(x, T))
        return loggamma(m.r + x) - loggamma(m.r) + m.r * log(m.al) + m.s * log(m.be) + log(v)

    def alive(m, x, tx, T):
        return 1 / (1 + m.s / (m.r + m.s + x) / m.stays(x, T) * (m.half(x, tx) - m.half(x, T)))

    def buys(m, x, T, h):
        gone = m.s / (m.r + m.s + x) * (m.half(x, T) - m.half(x, T + h))
        return 1 - (m.stays(x, T + h) + gone) / m.stays(x, T)

    def expected(m, x, T, h):
        s = m.s if m.s != 1 else 1 + mpf(10) ** -25
        return (m.r + x) * (m.be + T) / ((m.al + T) * (s - 1)) * (1 - ((m.be + T) / (m.be + T + h)) ** (s - 1))

    def intensity(m, x, T, u):
        return (m.r + x) / (m.al + T) * ((m.be + T) / (m.be + T + u)) ** m.s

    def pmf(m, x, T, h, n):
        k, A, B = m.r + x, m.al + T, m.be + T
        nb = lambda u: gamma(k + n) / gamma(k) / factorial(n) * (A / (A + u)) ** k * (u / (A + u)) ** n
        die = lambda u: m.s / B * (B / (B + u)) ** (m.s + 1) * nb(u)
        cuts = sorted({mpf(0), *(h * mpf(2) ** -j for j in range(0, 24, 2))})
        return nb(h) * (B / (B + h)) ** m.s + sum(quad(die, [a, b]) for a, b in zip(cuts, cuts[1:]))


def det(m, x, T, h, d):
    A = m.al + T if m.name == "mbg" else min(m.al, m.be) + T
    end = log(1 + h / A)
    panels = 2 + int(2 * end + d * h / 2)
    f = lambda y: A * exp(y) * exp(-d * A * (exp(y) - 1)) * m.intensity(x, T, A * (exp(y) - 1))
    return sum(quad(f, [end * i / panels, end * (i + 1) / panels], method="gauss-legendre", maxdegree=4) for i in range(panels))


print("# What\tfour parameters\tx\ttx\tT\t(h\tdelta\tn)\tvalue")
for kind, sets in ((Mbg, MBG), (Pareto, PARETO)):
    for texts in sets:
        m = kind(*[mpf(v) for v in texts])
        for hist in HISTORIES:
            x, tx, T = int(hist[0]), mpf(hist[1]), mpf(hist[2])
            # The published forms are small differences of large numbers where x is large.
            mp.dps = 60 if x < 300 else 200 if x < 5000 else 900
            m = kind(*[mpf(v) for v in texts])
            alive = m.alive(x, tx, T)
            row(m.name + "-loglikelihood", *texts, *hist, m.ln(x, tx, T))
            row(m.name + "-palive", *texts, *hist, alive)
            for h_, d_ in FUTURES:
                h, d = mpf(h_), mpf(d_)
                row(m.name + "-pbuys", *texts, *hist, h_, alive * m.buys(x, T, h))
                row(m.name + "-expected", *texts, *hist, h_, alive * m.expected(x, T, h))
                if d > 0 and x in (0, 2, 64):
                    mp.dps = 20
                    row(m.name + "-det", *texts, *hist, h_, d_, alive * det(m, x, T, h, d))
                    mp.dps = 60
            if x < 10 and T < 100:
                mp.dps = 45
                for n in (0, 1, 2, 5, 30):
                    p = alive * m.pmf(x, T, mpf(39), n) + (1 - alive if n == 0 else 0)
                    row(m.name + "-pmf", *texts, *hist, "39", str(n), p)
