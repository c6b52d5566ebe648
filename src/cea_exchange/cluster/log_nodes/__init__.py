"""The replicated log's own machines: NATS servers, how they are set, run and looked at.

    settings    what an operator says of one, and the server's own settings that follow from it
    rights      who may do what at the log
    server      the server's program: which releases are taken, and how it is begun
    health      what a node says of itself, and what of that is not as it must be
    service     one node as a service: it is ended and begun anew where it can't go on
    local       several of them on this machine, for the demo and the tests

Nothing else of this program speaks to them but through their sockets. Needs the extra ``cluster``.
"""
