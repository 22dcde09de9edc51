"use strict";

// Tables: a click on a header sorts by it, a second one the other way round. Numbers begin with the largest.
function sortable(table) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const numeric = head.classList.contains("number");
    const before = head.getAttribute("aria-sort");
    const rising = before ? before === "descending" : !numeric;
    heads.forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", rising ? "ascending" : "descending");
    const number = row => {
      const value = row.cells[column].dataset.value;
      return value === undefined ? NaN : value === "inf" ? Infinity : value === "-inf" ? -Infinity : Number(value);
    };
    const compare = (a, b) => {
      if (!numeric) return a.cells[column].textContent.localeCompare(b.cells[column].textContent, "en", { numeric: true });
      const [x, y] = [number(a), number(b)];
      return x === y ? 0 : x < y ? -1 : 1;
    };
    const rows = [...table.tBodies[0].rows];
    const empty = row => numeric && Number.isNaN(number(row)); // at the end, whichever way
    const full = rows.filter(row => !empty(row)).sort((a, b) => (rising ? 1 : -1) * compare(a, b));
    table.tBodies[0].append(...full, ...rows.filter(empty));
  }));
}

// Calls `moved` with the share of the box's width where a pointer is pressed or dragged.
function follow(box, moved) {
  const report = event => moved((event.clientX - box.getBoundingClientRect().left) / box.clientWidth);
  box.addEventListener("pointerdown", event => {
    if (event.pointerType === "touch" && box.classList.contains("zoomed")) return; // there a finger moves the picture
    event.preventDefault();
    box.setPointerCapture(event.pointerId);
    report(event);
  });
  box.addEventListener("pointermove", event => { if (box.hasPointerCapture(event.pointerId)) report(event); });
}

// Pictures: one frame wipes between any two versions; the galleries below stay for those who print or have no script.
function wiper(wipe) {
  const one = name => wipe.querySelector(name);
  const galleries = [...wipe.querySelectorAll(".versions")];
  const [picture, left, right, zoom, range] = [".picture", ".left", ".right", ".zoom", "input"].map(one);
  const [frame, box, pair, divider] = [".frame", ".box", ".pair", ".divider"].map(one);
  const [a, b] = [one("img.a"), one("img.b")];
  if (galleries.length === 0) return;
  galleries.forEach(gallery => { gallery.open = false; });
  [one(".controls"), frame, one(".slide")].forEach(part => { part.hidden = false; });

  const versions = () => [...galleries[picture.selectedIndex].querySelectorAll("figure")];
  const named = name => versions().find(version => version.dataset.name === name);

  const place = () => {
    const share = range.value / 100;
    divider.style.left = `${100 * share}%`;
    b.style.clipPath = `inset(0 0 0 ${box.scrollLeft + box.clientWidth * share}px)`;
    range.setAttribute("aria-valuetext", `${left.value} up to ${Math.round(range.value)} %, then ${right.value}`);
  };
  const size = () => {
    const hr = versions().at(-1).querySelector("img");
    const [height, width] = ["height", "width"].map(side => Number(hr.getAttribute(side)));
    const room = Math.min(wipe.clientWidth, 0.85 * innerHeight * width / height);
    const fit = width > room ? room : width * Math.floor(room / width); // small pictures by a whole number
    const factor = Number(zoom.value);
    box.classList.toggle("zoomed", factor > 0);
    box.classList.toggle("coarse", factor > 1 || fit > width);
    const shown = factor === 0 ? fit : factor * width;
    pair.style.width = `${shown}px`;
    pair.style.height = `${shown * height / width}px`;
    one(".slide").style.width = `${frame.clientWidth}px`;
    place();
  };
  const show = () => {
    for (const [choice, image, label] of [[left, a, one(".label.a")], [right, b, one(".label.b")]]) {
      const version = named(choice.value), source = version.querySelector("img");
      if (image.getAttribute("src") !== source.getAttribute("src")) image.src = source.getAttribute("src");
      image.alt = source.alt;
      image.classList.toggle("coarse", choice.value === "LR");
      label.textContent = version.dataset.caption ? `${choice.value} · ${version.dataset.caption}` : choice.value;
    }
    const gallery = galleries[picture.selectedIndex];
    one(".note").textContent = `${gallery.dataset.name}, ${gallery.dataset.note}. Left: ${left.value}; right: ${right.value}.`;
    size();
  };
  const choose = () => {
    const names = versions().map(version => version.dataset.name);
    const [was, is] = [left.value, right.value];
    for (const choice of [left, right]) choice.replaceChildren(...names.map(name => new Option(name)));
    left.value = names.includes(was) ? was : names[Math.min(1, names.length - 1)];
    right.value = names.includes(is) ? is : names[Math.max(0, names.length - 2)];
    show();
  };

  picture.addEventListener("change", choose);
  [left, right].forEach(choice => choice.addEventListener("change", show));
  zoom.addEventListener("change", size);
  range.addEventListener("input", place);
  box.addEventListener("scroll", place);
  addEventListener("resize", size);
  follow(box, share => { range.value = 100 * share; place(); });
  choose();
}

document.querySelectorAll("table.sortable").forEach(sortable);
document.querySelectorAll(".wipe").forEach(wiper);
