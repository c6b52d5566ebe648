# For Cython only: what the other compiled rooms take from it stands in _bidding.pxd. Python sees
# no name here.
