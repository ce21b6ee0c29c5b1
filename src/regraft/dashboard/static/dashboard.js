// Everything on a page can be read without this. It adds values under the pointer and by arrow keys, buttons that
// copy a command, and a fresh page while a job runs.
"use strict";

function reader(figure) {
  const rows = [...(figure.closest(".chart")?.querySelectorAll("tr[data-at]") ?? [])];
  const reading = figure.querySelector(".reading");
  const [left, right] = [Number(figure.dataset.left), Number(figure.dataset.right)];
  if (!rows.length || !reading) return;
  reading.setAttribute("aria-live", "polite");
  let at = -1;

  function show(index) {
    at = Math.max(0, Math.min(rows.length - 1, index));
    const place = left + Number(rows[at].dataset.at) * (right - left);
    reading.textContent = [...rows[at].cells].map((cell) => cell.textContent.trim()).join(" · ");
    reading.hidden = false;
    const [own, whole] = [reading.offsetWidth, figure.clientWidth];
    reading.style.left = `${Math.max(0, Math.min(whole - own, place * whole - own / 2))}px`;
  }

  figure.addEventListener("pointermove", (event) => {
    const box = figure.getBoundingClientRect();
    const along = ((event.clientX - box.left) / box.width - left) / (right - left);
    const off = rows.map((row) => Math.abs(Number(row.dataset.at) - along));
    show(off.indexOf(Math.min(...off)));
  });
  figure.addEventListener("pointerleave", () => { reading.hidden = true; });
  figure.addEventListener("blur", () => { reading.hidden = true; });
  figure.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: rows.length - 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    show(at < 0 && event.key === "ArrowLeft" ? rows.length - 1 : step);
  });
}

function copier(button) {
  const words = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
    button.textContent = button.dataset.copied;
    setTimeout(() => { button.textContent = words; }, 2000);
  });
}

function inserter(button) {
  const text = document.querySelector("textarea[name=source]");
  if (text) button.addEventListener("click", () => {
    text.setRangeText(button.dataset.text, text.selectionStart, text.selectionEnd, "end");
    text.focus();
  });
}

function enhance(part) {
  part.querySelectorAll("figure.by-day").forEach(reader);
  part.querySelectorAll("button.insert").forEach(inserter);
  if (navigator.clipboard) part.querySelectorAll("button.copy").forEach(copier);
  part.querySelectorAll(".with-script").forEach((element) => { element.hidden = false; });
}

// While a job runs, the content is asked for again; what has the focus outside of it keeps it.
async function renew() {
  try {
    const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
    document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
    enhance(document.querySelector("main"));
    renewIn(Number(page.body.dataset.refresh ?? 0));
  } catch {
    renewIn(5);
  }
}

function renewIn(seconds) {
  if (seconds) setTimeout(renew, 1000 * seconds);
}

enhance(document);
renewIn(Number(document.body.dataset.refresh ?? 0));
