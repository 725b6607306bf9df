"""Programs that print what daskgmm costs, one claim a file; see the README beside this file."""
