"""Test of new rows against a fitted mixture."""
