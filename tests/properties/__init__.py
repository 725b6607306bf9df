"""Properties of daskgmm: what holds for any rows, weights, chunks, settings and sources.

python -m tests.properties --examples 1000 --seed 0

`strategies` draws rows and settings, `forms` lays rows down as users have them, `models` fits and
compares; each `test_*` module has the properties of a part. `test_found.py` has what they found,
as plain cases.
"""
