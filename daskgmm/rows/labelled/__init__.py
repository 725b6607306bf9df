"""Rows of labelled arrays: xarray's, of any rank."""
