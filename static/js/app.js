// What every page needs. Each module works by event delegation on data attributes, so that what htmx swaps
// in needs no set-up. The inbox loads inbox.js beside it, the review page review.js (with what it imports).
import "./csrf.js";
import "./dialogs.js";
import "./messages.js";
import "./focus.js";
import "./keys.js";
import "./time.js";
import "./live.js";
import "./zone.js";
