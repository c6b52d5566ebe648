"""Links to institutions that the registry asks: the line to one, its setting, when it is asked."""
