from __future__ import annotations
from django.http import HttpRequest, HttpResponse
def __getattr__(name: str):
    def view(request, **k): return HttpResponse(status=501)
    return view
