"""python -m pictaxa."""

import sys

from .cli.main import main

sys.exit(main())
