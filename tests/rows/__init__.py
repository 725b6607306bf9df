"""Tests of the places rows come from."""
