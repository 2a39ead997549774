"""ln Γ(v+n)/Γ(v) and ψ(v+n) − ψ(v) for package fit, exact to 20 digits, by mpmath.

    pip install mpmath && python special.py > special.tsv
"""
from mpmath import loggamma, mp, mpf, nstr, psi

mp.dps = 60
print("# v\tn\tln\tslope")
for v_ in ("1e-6", ".003", ".7", "1", "19.9", "20", "333", "1e5", "1e9", "1e15"):
    for n_ in ("1e-4", ".01", ".5", "1", "7", "150", "10000", "1e12"):
        v, n = mpf(v_), mpf(n_)
        print(v_, n_, nstr(loggamma(v + n) - loggamma(v), 20), nstr(psi(0, v + n) - psi(0, v), 20), sep="\t")
