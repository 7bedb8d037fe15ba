"""Start Endy: `python run.py` serves on HOST and PORT from the environment or `.env`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))

if __name__ == "__main__":
    from endy.cli import main

    sys.argv = [sys.argv[0], "serve", *sys.argv[1:]]
    main()
