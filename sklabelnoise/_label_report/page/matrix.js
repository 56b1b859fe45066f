  // The transition matrix: its rows are true classes, its cells filter the list. Built when it is first looked at.
  function showMatrix() {
    const host = byId("matrix");
    if (host.childElementCount) return;
    const { classes, shares, low, high, note } = data.matrix;
    const names = classes.map(nameOf);
    const dense = names.length > 12;
    const head = element("tr", {}, element("th", { scope: "col" }, "true ↓ given →"),
      ...classes.map((code, j) => element("th", { scope: "col", title: names[j] }, element("span", {}, named(code)))));
    const rows = names.map((name, i) => {
      const row = element("tr", {}, element("th", { scope: "row", title: name }, named(classes[i])));
      names.forEach((given, j) => {
        const share = shares[i][j];
        const percent = Math.round(100 * share);
        const cell = element("td", { class: i === j ? "right" : "wrong" });
        cell.style.setProperty("--share", share);
        if (percent >= 1) {
          const range = low ? ` (${Math.round(100 * low[i][j])} to ${Math.round(100 * high[i][j])} %)` : "";
          const title = `${percent} %${range} of ${name} were given ${given}`;
          cell.append(i === j ? element("span", { title }, percent) : button(percent, { title, "aria-label": title },
            () => filterBy(classes[j], classes[i])));
        }
        row.append(cell);
      });
      return row;
    });
    const table = element("table", { class: dense ? "matrix dense" : "matrix" },
      element("caption", {}, `Share of each true class (rows) that was given each label (columns), in %. ${note}`),
      element("thead", {}, head), element("tbody", {}, ...rows));
    const scroll = element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "transition matrix" }, table);
    host.append(scroll, confusions());
  }

  function confusions() {
    if (!data.confusions.length) return "";
    const rows = data.confusions.map(([truth, given, share]) => element("tr", {},
      element("td", {}, named(truth)), element("td", {}, named(given)),
      element("td", { class: "number" }, `${(100 * share).toFixed(1)} %`),
      element("td", {}, button("show", { class: "plain", "aria-label":
        `show rows given ${nameOf(given)} that may be ${nameOf(truth)}` }, () => filterBy(given, truth)))));
    return element("table", { class: "confusions" },
      element("caption", {}, "Most frequent mistakes"),
      element("thead", {}, element("tr", {}, ...["truth", "given", "share of the class", "rows"].map((name) =>
        element("th", { scope: "col" }, name)))),
      element("tbody", {}, ...rows));
  }

  function filterBy(given, suggested) {
    byId("given").value = String(given);
    byId("suggested").value = String(suggested);
    // A pair that is on no row of the list has no entry to choose.
    if (byId("given").value === "" || byId("suggested").value === "") {
      say(`No row of the list was given ${nameOf(given)} and may be ${nameOf(suggested)}.`);
      byId("given").value = byId("suggested").value = "";
    }
    refresh();
    // On to the rows, also for those who use no mouse.
    if (view.matching.length) lineOf.get(view.current).focus({ preventScroll: true });
    byId("bar").scrollIntoView({ block: "start" });
  }
