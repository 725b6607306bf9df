"""Rows made of other rows: one after another, side by side, mapped."""
