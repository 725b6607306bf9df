"""Files that lie: mutations of all that daskgmm reads, and what becomes of each.

python -m tests.lies --count 100000 --seed 0

`mutations` makes a file that lies of one that does not, `documents`, `stores` and `journals` are
the kinds of files, `judging` reads one and says what it came to. Each kind is read in a process of
its own, so that one that dies is a finding too. Verdicts:

refused   an error of daskgmm that names the file
harmless  the same result to the bit
unsigned  another result, of a format that has no checksum of these values, of a document that was
          signed again, or of another whole file
finding   another error or result, a process that died, or more than 1 s or 500 MB
"""
