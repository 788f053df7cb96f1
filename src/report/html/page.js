
"use strict";
(() => {
  const tools = document.querySelector(".tools");
  if (!tools) return;
  const box = tools.querySelector("input[type=search]");
  const marks = [...tools.querySelectorAll("input[type=checkbox]")];
  const count = tools.querySelector("output");
  const rows = [...document.querySelectorAll("[data-row]")];
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const apply = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = marks.filter((mark) => mark.checked).map((mark) => mark.value);
    let shown = 0;
    rows.forEach((row, index) => {
      const fits = words.every((word) => texts[index].includes(word))
        && wanted.every((mark) => row.dataset.row.split(" ").includes(mark));
      row.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    count.textContent = shown + " of " + rows.length + " shown";
  };
  tools.addEventListener("input", apply);
  tools.hidden = false;
  const asked = decodeURIComponent(location.hash.slice(1));
  if (asked) box.value = asked;
  apply();
})();
