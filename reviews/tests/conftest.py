from reviews.tests.cast import cast

__all__ = ["cast"]
