# For Cython only: what the other compiled rooms take from it stands in _day.pxd. Python sees
# no name here.
