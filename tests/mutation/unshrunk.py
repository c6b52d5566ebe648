"""A pytest plugin: Hypothesis finds counterexamples as always, but does not make them small.

Who was killed and by which test is the same; only the search for a nicer example is left out.
"""

from hypothesis import Phase, settings

settings.register_profile(
    "unshrunk", phases=(Phase.explicit, Phase.reuse, Phase.generate), print_blob=False
)
settings.load_profile("unshrunk")
