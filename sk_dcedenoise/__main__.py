"""``python -m sk_dcedenoise``."""

import sys

from sk_dcedenoise.cli import main

if __name__ == "__main__":
    sys.exit(main())
