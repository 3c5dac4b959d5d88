const faults = [];
const all = (css) => [...document.querySelectorAll(css)];
const visible = (e) => e.getClientRects().length > 0 && getComputedStyle(e).visibility !== "hidden";
const named = (e) =>
  (e.getAttribute("aria-label") ||
    (e.getAttribute("aria-labelledby") || "").split(" ").map((id) => document.getElementById(id)?.textContent).join("") ||
    (e.labels && [...e.labels].map((l) => l.textContent).join("")) || e.textContent || "").trim();

if (!document.documentElement.lang) faults.push("no language");
if (!document.title.trim()) faults.push("no title");
if (all("main").length !== 1) faults.push("not one main");
if (all("h1").length !== 1) faults.push("not one h1");
let level = 0;
for (const heading of all("h1, h2, h3, h4, h5, h6")) {
  const now = Number(heading.tagName[1]);
  if (now > level + 1) faults.push(`a heading is left out before ${heading.textContent}`);
  level = now;
}
for (const e of all("input:not([type=hidden]), select, textarea")) {
  if (!e.labels.length && !e.getAttribute("aria-label")) faults.push(`no label: ${e.outerHTML}`);
}
for (const e of all("a, button, nav, section, [role=search]")) {
  if (!named(e)) faults.push(`no name: ${e.outerHTML.slice(0, 80)}`);
}
for (const e of all("img")) if (!e.hasAttribute("alt")) faults.push(`no alt: ${e.outerHTML}`);
const ids = all("[id]").map((e) => e.id);
for (const id of ids.filter((id, at) => ids.indexOf(id) !== at)) faults.push(`twice: ${id}`);
for (const e of all("[tabindex]")) if (e.tabIndex > 0) faults.push(`an order of its own: ${e.outerHTML}`);
for (const e of all("button, a.button, input:not([type=hidden]), select")) {
  if (visible(e) && e.getBoundingClientRect().height < 24) faults.push(`too small to touch: ${e.outerHTML}`);
}

const rgb = (text) => {
  const [r, g, b, a = 1] = text.match(/[\d.]+/g).map(Number);
  return { r, g, b, a };
};
const channel = (c) => (c / 255 <= 0.03928 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);
const light = ({ r, g, b }) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const ground = (e) => {
  for (let at = e; at; at = at.parentElement) {
    const color = rgb(getComputedStyle(at).backgroundColor);
    if (color.a === 1) return color;
  }
  return { r: 255, g: 255, b: 255, a: 1 };
};
const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (texts.nextNode()) {
  const e = texts.currentNode.parentElement;
  if (!texts.currentNode.textContent.trim() || !visible(e) || e.closest("script")) continue;
  const pair = [light(rgb(getComputedStyle(e).color)), light(ground(e))].sort((a, b) => b - a);
  const contrast = (pair[0] + 0.05) / (pair[1] + 0.05);
  if (contrast < 4.5) faults.push(`contrast ${contrast.toFixed(2)}: ${texts.currentNode.textContent.trim().slice(0, 40)}`);
}
for (const e of all("a[href], button, input:not([type=hidden]), select").filter(visible)) {
  e.focus({ focusVisible: true });
  if (document.activeElement !== e) faults.push(`cannot be reached: ${e.outerHTML.slice(0, 80)}`);
  else if (getComputedStyle(e).outlineStyle === "none") faults.push(`focus cannot be seen: ${e.outerHTML.slice(0, 80)}`);
}
document.activeElement?.blur();
scrollTo(0, 0);
const page = document.scrollingElement;
if (page.scrollWidth > page.clientWidth) {
  const wide = all("body *").find((e) => e.getBoundingClientRect().right > page.clientWidth + 1);
  faults.push(`${page.scrollWidth} px wide: ${wide?.outerHTML.slice(0, 80)}`);
}
return faults;
