"""The commands, one a file, and the parts that several share."""
