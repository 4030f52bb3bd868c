"""``python -m handrail`` is the command ``handrail``."""

import sys

from handrail.command import main

sys.exit(main())
