# For Cython only: what the other compiled rooms take from it stands in _bust.pxd. Python sees
# no name here.
