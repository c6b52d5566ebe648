# For Cython only: what the other compiled rooms take from it stands in _market_rules.pxd.
# Python sees no name here.
