"""How an answer is judged against what was right: pure, deterministic, never raising on hostile values.

``document`` is what a grader says (its JSON form), ``comparing`` judges a value, ``grading`` an answer.
"""

from datasets.graders.document import DEFAULT, GraderDocument, InvalidGrader, from_document
from datasets.graders.grading import Answer, Expected, Grade, Place, grade

__all__ = [
    "DEFAULT",
    "Answer",
    "Expected",
    "Grade",
    "GraderDocument",
    "InvalidGrader",
    "Place",
    "from_document",
    "grade",
]
