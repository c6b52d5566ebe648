"""Who is on the yearly list of key emitting entities, who leaves it, and who stands for whom.

`membership`   of which sector a plant is, and whether under quota or reporting only
`next_list`    the 26,000 t test: who enters, stays, leaves, and why
`complex_of`   a steelworks of several firms as one entity
`succeed`      mergers, splits, renames: who answers for what was owed
`firms`        which service firm may not verify whom
"""
