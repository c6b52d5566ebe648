# For Cython only: what the other compiled rooms take from it stands in _crc32c.pxd. Python sees
# no name here.
