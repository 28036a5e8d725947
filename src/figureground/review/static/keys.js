// The keyboard: each screen says which key does what; `?` shows them all.

const TYPED = "input:not([type=range]):not([type=checkbox]):not([type=radio]), select, textarea, [contenteditable]";

/** Calls `handlers[key](event)`, unless somebody types or the list of keys is open. Keys as in KeyboardEvent.key; "Ctrl+z" for a chord. */
export function onKeys(handlers) {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.altKey || document.querySelector("dialog[open]") || event.target.closest?.(TYPED)) return;
    const chord = event.ctrlKey || event.metaKey ? `Ctrl+${event.key.toLowerCase()}` : event.key;
    const digit = event.ctrlKey || event.metaKey ? null : /^Digit(\d)$/.exec(event.code); // keyboards that want Shift for digits
    const handler = handlers[chord] ?? (chord.length === 1 ? handlers[chord.toLowerCase()] : undefined) ?? handlers[digit?.[1]];
    if (!handler) return;
    const control = event.target.closest?.("button, a[href], summary, input[type=range]");
    if (control && (event.key === "Enter" || event.key === " ")) return; // they press what has the focus
    if (control?.type === "range" && /^(Arrow|Page|Home|End)/.test(event.key)) return;
    event.preventDefault();
    handler(event);
  });
}

const dialog = document.getElementById("keys");
function toggle() {
  if (dialog.open) dialog.close();
  else if (!document.querySelector("dialog[open]")) dialog.showModal();
}
document.getElementById("show-keys")?.addEventListener("click", toggle);
document.addEventListener("keydown", (event) => {
  if (event.key !== "?" || event.target.closest?.(TYPED)) return;
  event.preventDefault();
  toggle();
});
