"""Properties are asked a few examples; `python -m tests.properties` asks more."""

from tests.properties.profiles import load

load()
