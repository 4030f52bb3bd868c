"""Numbers in attributes and forms are read by machines, so they look the same in every language.

Those that people read go through the filters of ``templatetags/handrail.py``, which know the language.
"""

DECIMAL_SEPARATOR = "."
THOUSAND_SEPARATOR = ""
NUMBER_GROUPING = 0
