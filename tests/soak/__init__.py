"""A soak: fits and predictions in processes that are killed, from a store that fails, at odd times.

Whatever happens, a run ends in the bits of a quiet one, and nothing is left on the scheduler or on
disk.
"""
