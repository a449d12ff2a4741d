"""
Settings: what can be set, what a text is accepted as, what settings must agree on, how they are read.

``model`` declares each with its meaning and who needs it; ``reading`` checks them for one use case.
"""

from distributor.settings.model import Settings, Use
from distributor.settings.reading import About, Problem, about, load, problems, secrets_of

__all__ = ["About", "Problem", "Settings", "Use", "about", "load", "problems", "secrets_of"]
