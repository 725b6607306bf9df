"""Files at paths and URLs: read, replaced in one step, and shown without secrets."""
