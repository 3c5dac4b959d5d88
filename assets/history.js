// Submits the filters on every change, and restores the focus on the next page.
"use strict";
const form = document.getElementById("filters");
if (form) {
  const KEPT = "focus";
  form.addEventListener("change", (event) => {
    sessionStorage.setItem(KEPT, event.target.id);
    form.requestSubmit();
  });
  const kept = sessionStorage.getItem(KEPT);
  sessionStorage.removeItem(KEPT);
  const field = kept && document.getElementById(kept);
  if (field && form.contains(field)) field.focus({ preventScroll: true });
}
