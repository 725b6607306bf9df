"""Commands that write what a model says of rows."""
