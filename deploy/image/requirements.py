"""Print what daskgmm needs with some extras, one requirement a line.

The image installs this before the code is there: python3 requirements.py parquet,s3
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
known = project["optional-dependencies"]
extras = [name for name in sys.argv[1].split(",") if name]
if unknown := [name for name in extras if name not in known]:
    sys.exit(f"No extra {', '.join(unknown)}; there are {', '.join(known)}.")
print(*project["dependencies"], *(line for name in extras for line in known[name]), sep="\n")
