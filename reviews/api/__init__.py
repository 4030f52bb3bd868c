"""What agents ask over HTTP. The contract is docs/api.md; every body passes the strict door first."""

from reviews.api.actions import router as actions_router
from reviews.api.permits import router as permits_router
from reviews.api.stops import router as stops_router

__all__ = ["actions_router", "permits_router", "stops_router"]
