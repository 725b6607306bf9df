"""Version of daskgmm, without further imports."""

__version__ = "0.1.0"
