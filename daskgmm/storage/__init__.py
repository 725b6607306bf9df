"""Addresses of files: paths and URLs, with atomic writes and without secrets in messages."""
