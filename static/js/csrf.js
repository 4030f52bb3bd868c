// Requests that htmx makes outside of a form carry the CSRF token as a header. Only to our own server.
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

document.addEventListener("htmx:config:request", (event) => {
  const request = event.detail.ctx.request;
  const target = new URL(request.action, document.baseURI);
  if (request.method !== "GET" && target.origin === location.origin) {
    request.headers["X-CSRFToken"] = csrfToken();
  }
});
