"""The reviewer's pages."""

from __future__ import annotations

from django.urls import path
from django.urls.resolvers import URLPattern, URLResolver

from reviews.views import actions, appearance, history, inbox, permit_keys, review

app_name = "reviews"

# /inbox/
inbox_urls: list[URLPattern | URLResolver] = [
    path("", inbox.home, name="home"),
    path("inbox/", inbox.index, name="inbox"),
    path("review/next/", inbox.start, name="next"),
]

# /review/<item>/
review_urls: list[URLPattern | URLResolver] = [
    path("review/<str:item_id>/", review.show, name="review"),
    path("review/<str:item_id>/decide/", review.decide, name="decide"),
    path("review/<str:item_id>/escalate/", review.escalate, name="escalate"),
    path("review/<str:item_id>/skip/", review.skip, name="skip"),
    path("review/<str:item_id>/claim/", review.claim, name="claim"),
    path("review/<str:item_id>/release/", review.release, name="release"),
    path("review/<str:item_id>/diff/", review.diff, name="diff"),
    path("review/<str:item_id>/attention/", review.attention, name="attention"),
    path("decisions/<str:decision_id>/undo/", review.undo, name="undo"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *inbox_urls,
    *review_urls,
    path("history/", history.index, name="history"),
    path("actions/<str:action_id>/", actions.show, name="action"),
    path("settings/appearance/", appearance.change, name="appearance"),
    path(".well-known/jwks.json", permit_keys.show, name="jwks"),
]
