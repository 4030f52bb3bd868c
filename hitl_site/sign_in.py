"""The door: signing in and out, each on the record."""

from __future__ import annotations

from typing import Any, Final

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from hitl_site.lib.clock import database_now
from hitl_site.lib.http import client_address
from hitl_site.lib.visits import Visits
from policies.services import accounts

# Of one name from one address, by process. No account is ever locked, and behind a proxy that is not told of
# all people share an address: else a guesser keeps out who has to press stop.
REFUSALS: Final = Visits(per_minute=3, minutes=10)


class SignIn(LoginView):
    redirect_authenticated_user = True

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Look at a name and a password, unless too many for this name from this address were wrong."""
        if not REFUSALS.are_spent(_guess(request)):
            return super().post(request, *args, **kwargs)
        context = self.get_context_data(form=AuthenticationForm(request), too_often=True)
        answer = self.render_to_response(context, status=429)
        answer.headers["Retry-After"] = "600"
        return answer

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Let somebody in; the time of it and the ledger's entry are one transaction."""
        with transaction.atomic():
            response = super().form_valid(form)
            accounts.note_sign_in(user=form.get_user(), now=database_now())
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Refuse; where a name and a password were given, that is on the record."""
        if form.non_field_errors():
            REFUSALS.allows(_guess(self.request))
            accounts.note_refused_sign_in(name=str(form.cleaned_data.get("username", "")), now=database_now())
        return super().form_invalid(form)


def _guess(request: HttpRequest) -> str:
    """Return what a wrong password counts against."""
    name = request.POST.get("username", "").strip()[:150].casefold()
    return f"{client_address(request)} {name}"


class SignOut(LogoutView):
    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Let somebody out."""
        if request.user.is_authenticated:
            accounts.note_sign_out(user=request.user, now=database_now())
        return super().post(request, *args, **kwargs)
