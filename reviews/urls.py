"""The reviewer's pages."""

from __future__ import annotations

from django.urls import path, re_path
from django.urls.resolvers import URLPattern, URLResolver

import policies.urls  # noqa: F401 - brings the converter of an action type's name
from reviews.views import (
    actions,
    appearance,
    capacity,
    decision,
    editing,
    go,
    history,
    holding,
    inbox,
    incidents,
    keys,
    me,
    notices,
    pace,
    passing_on,
    permit_keys,
    permits,
    quality,
    revealing,
    review,
    saved_views,
    several,
    team,
    trials,
    trust,
    trust_links,
    what_if,
)

app_name = "reviews"

# /inbox/
inbox_urls: list[URLPattern | URLResolver] = [
    path("", inbox.home, name="home"),
    path("inbox/", inbox.index, name="inbox"),
    path("inbox/views/", saved_views.index, name="views"),
    path("inbox/views/<str:view_id>/", saved_views.change, name="view"),
    path("review/next/", inbox.start, name="next"),
    path("review/several/", several.decide, name="several"),
    path("review/several/undo/", several.undo, name="several_undo"),
    path("go/", go.index, name="go"),
]

# /review/<item>/
review_urls: list[URLPattern | URLResolver] = [
    path("review/done/", review.done, name="done"),
    path("review/pace/", pace.answer, name="pace"),
    path("review/break/", pace.rest, name="break"),
    path("review/<str:item_id>/", review.show, name="review"),
    path("review/<str:item_id>/peek/", inbox.peek, name="peek"),
    path("review/<str:item_id>/decide/", decision.decide, name="decide"),
    path("review/<str:item_id>/diff/", editing.diff, name="diff"),
    path("review/<str:item_id>/reveal/", revealing.reveal, name="reveal"),
    path("review/<str:item_id>/escalate/", passing_on.escalate, name="escalate"),
    path("review/<str:item_id>/skip/", passing_on.skip, name="skip"),
    path("review/<str:item_id>/claim/", holding.claim, name="claim"),
    path("review/<str:item_id>/release/", holding.release, name="release"),
    path("review/<str:item_id>/attention/", holding.attend, name="attention"),
    path("decisions/<str:decision_id>/undo/", decision.undo, name="undo"),
]

# /trust/
trust_urls: list[URLPattern | URLResolver] = [
    path("trust/", trust.index, name="trust"),
    path("trust/items/", trust.items, name="trust_items"),
    path("trust/drills/", trust.drills, name="trust_drills"),
    path("trust/download/", trust.download, name="trust_download"),
    path("trust/links/", trust_links.index, name="trust_links"),
    path("trust/links/<str:link_id>/revoke/", trust_links.revoke, name="trust_link_revoke"),
    path("capacity/", capacity.show, name="capacity"),
    path("team/quality/", quality.index, name="quality"),
    path("team/quality/<str:username>/", quality.person, name="quality_of"),
    path(
        "team/quality/<str:username>/second-review/",
        quality.start_second_review,
        name="second_review_start",
    ),
    re_path(
        r"^team/quality/(?P<username>[^/]+)/second-review/(?P<review_id>srv_[0-9a-f]{32})/end/$",
        quality.end_second_review,
        name="second_review_end",
    ),
    path("shared/trust/<str:address>/", trust_links.show, name="trust_shared"),
]

urlpatterns: list[URLPattern | URLResolver] = [
    *inbox_urls,
    *review_urls,
    *trust_urls,
    # Beside the policies, of which it asks.
    path("policies/try/", trials.show, name="try_action"),
    path("policies/<action_type:name>/what-if/", what_if.show, name="what_if"),
    path("team/", team.index, name="team"),
    path("team/queues/", team.queue_new, name="team_queue_new"),
    path("team/queues/<slug:slug>/members/", team.members, name="team_members"),
    path("team/queues/<slug:slug>/channels/", team.channel_new, name="team_channel_new"),
    path("team/channels/<str:channel_id>/end/", team.channel_end, name="team_channel_end"),
    path("team/people/<str:username>/", team.person, name="team_person"),
    path("history/", history.index, name="history"),
    path("history/<str:decision_id>/second-look/", history.second_look, name="second_look"),
    path("notices/", notices.index, name="notices"),
    path("notices/read/", notices.read, name="notices_read"),
    path("notices/news/", notices.news, name="notices_news"),
    path("settings/me/", me.change, name="me"),
    path("actions/<str:action_id>/", actions.show, name="action"),
    path("permits/<str:permit_id>/revoke/", permits.revoke, name="permit_revoke"),
    path("incidents/", incidents.index, name="incidents"),
    path("incidents/<str:incident_id>/", incidents.show, name="incident"),
    path("settings/keys/", keys.change, name="keys"),
    path("settings/appearance/", appearance.change, name="appearance"),
    path(".well-known/jwks.json", permit_keys.show, name="jwks"),
]
