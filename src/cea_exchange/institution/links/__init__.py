"""Links to institutions that are asked: the line to one, its setting, when it is asked."""
