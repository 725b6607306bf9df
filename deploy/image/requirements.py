"""Print the requirements of daskgmm with some extras, one per line.

The image installs them before it copies the code: python3 requirements.py parquet,s3
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
