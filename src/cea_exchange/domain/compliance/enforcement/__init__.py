"""What a breach costs under the law of its day, and the clocks of the procedure.

    offence, day, gains -> `penalty`     fines, confiscation, what follows where it is refused
    step, day           -> `due`         hearings, decisions, payment, review and suit

What was not surrendered has a fine of its own: `penalties` beside this.
"""
