# For Cython only: what the other compiled rooms take from it stands in _market_snapshot.pxd.
# Python sees no name here.
