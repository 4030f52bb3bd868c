// The one Trusted Types policy of the site, for htmx alone. Page answers come from our own server, which
// escapes; nothing else may turn text into markup. A classic script, so that it runs right after htmx.
"use strict";
if (window.htmx && window.trustedTypes) {
  const policy = window.trustedTypes.createPolicy("htmx", {
    createHTML: (text) => text,
    // htmx copies the text of a <script> it swaps in. There is none in our answers: refuse them all.
    createScript: () => "",
  });
  window.htmx.registerExtension("handrail-trusted-types", { init: (api) => api.initSecurity(policy) });
}
