"""Many compliance years over seeds, plans and profiles, and what they say together.

    plan --> points --> cells --+--> processes of this machine --+--> a file each --> tables, report
                                +--> Ray -----------------------+

A cell is one year with all that decides about it; what it comes to is the same bytes wherever it
was played, and a sweep is the same bytes however often it was stopped.
"""
