  const KEYS = [
    ["a", "accept the suggestion", (issue) => decide(issue, { decision: "accept" })],
    ["k", "keep the given label (also r)", (issue) => decide(issue, { decision: "reject" })],
    ["o", "choose another class", pickClass],
    ["1 … 9", "the class with that rank in the row's probabilities", null],
    ["u", "unsure", (issue) => decide(issue, { decision: "unsure" })],
    ["x", "remove the row", (issue) => decide(issue, { decision: "remove" })],
    ["c", "comment", comment],
    ["Backspace", "take the decision back", clear],
    ["z", "undo (also Ctrl+Z)", () => goThrough(store.undo, "undo")],
    ["y", "redo (also Ctrl+Y)", () => goThrough(store.redo, "redo")],
    ["ArrowDown", "next row (also n)", () => step(1)],
    ["ArrowUp", "previous row (also p)", () => step(-1)],
    ["Enter", "the whole row, and rows like it", detail],
    ["m", "all rows that match the filters", massActions],
    ["s", "save and load", files],
    ["/", "search", () => byId("search").focus()],
    ["?", "these keys", () => byId("help").showModal()],
  ];
  const ALIASES = { r: "k", n: "ArrowDown", p: "ArrowUp", Delete: "Backspace", " ": "Enter", Z: "y" };

  function clear(issue) {
    const before = store.get(issue.row);
    if (!before || !before.decision) return;
    store.change(`row ${issue.row} is open again`, [[issue.row, before.comment
      ? { decision: "", comment: before.comment } : undefined]]);
    refreshRows([issue.row]);
  }

  // The dialog of a row knows the keys that decide on it and go on to the next one.
  function inDetail(dialog, event) {
    const keys = ["a", "k", "r", "o", "u", "x", "c", "n", "p", "ArrowDown", "ArrowUp"];
    return dialog.id === "detail" && !event.ctrlKey && !event.metaKey &&
      !(event.key.startsWith("Arrow") && event.target.closest(".scroll")) &&
      (keys.includes(event.key) || /^[1-9]$/.test(event.key));
  }

  function onKey(event) {
    if (event.altKey) return;
    const dialog = document.querySelector("dialog[open]");
    if (dialog && !inDetail(dialog, event)) return;
    const inField = event.target.closest("input, select, textarea");
    if (inField) {
      const isSearch = inField.id === "search";
      if (event.key === "Escape" || (event.key === "Enter" && isSearch)) {
        inField.blur();
        if (isSearch && view.matching.length) focusOn(view.current); // on to what was found
      }
      return;
    }
    if (event.ctrlKey || event.metaKey) {
      const key = event.key.toLowerCase();
      if (key === "z") goThrough(event.shiftKey ? store.redo : store.undo, event.shiftKey ? "redo" : "undo");
      else if (key === "y") goThrough(store.redo, "redo");
      else return;
      event.preventDefault();
      return;
    }
    if (dialog && (store.keysOfOneLetter || event.key.length > 1)) {
      dialog.close();
      // With the arrows one goes on looking.
      if (["ArrowDown", "ArrowUp", "n", "p"].includes(event.key)) {
        step(["ArrowDown", "n"].includes(event.key) ? 1 : -1);
        detail(view.current);
        event.preventDefault();
        return;
      }
    }
    // On a button Enter and Space press it.
    if (event.target.closest("button, summary") && (event.key === "Enter" || event.key === " ")) return;
    // Speech input and unsteady hands press letters that nobody meant.
    if (!store.keysOfOneLetter && event.key.length === 1 && event.key !== " ") return;
    const issue = view.current;
    if (/^[1-9]$/.test(event.key)) {
      const code = issue && rankedClasses(issue)[+event.key - 1];
      if (code === undefined || code === null) return;
      decide(issue, decisionFor(issue, code));
      event.preventDefault();
      return;
    }
    const entry = KEYS.find(([key]) => key === (ALIASES[event.key] || event.key));
    if (!entry || !entry[2] || (!issue && !["z", "y", "s", "/", "?", "m"].includes(entry[0]))) return;
    entry[2](issue);
    event.preventDefault();
  }

  // Two windows with one report show the same: the next decision in one would else undo all that the other has kept.
  function takeOver(event) {
    if (!store.takeOver(event)) return;
    byId("keys-on").checked = store.keysOfOneLetter;
    refreshRows(issues.map((issue) => issue.row));
    if (byId("detail").open) markButtons(byId("detail-decide"), store.get(view.current.row));
  }

  function fillClasses(id, role) {
    const counts = new Map();
    for (const issue of issues) counts.set(issue[role], (counts.get(issue[role]) || 0) + 1);
    byId(id).append(new Option("any", ""), ...[...counts.keys()].sort((a, b) => a - b).map((code) =>
      new Option(`${nameOf(code)} (${grouped(counts.get(code))})`, code)));
  }

  byId("decision").append(...[["", "any"], ["open", "open"], ["decided", "decided"], ["accept", "accepted"],
    ["reject", "kept"], ["relabel", "relabeled"], ["unsure", "unsure"], ["remove", "removed"], ["conflict", "in conflict"],
    ["comment", "with a comment"]].map(([value, text]) => new Option(text, value)));
  byId("order").append(...ORDERS.map(([, , text], i) => new Option(text, i)));
  fillClasses("given", "given");
  fillClasses("suggested", "suggested");
  byId("keys").append(...KEYS.map(([key, text]) => element("tr", {},
    element("th", { scope: "row" }, element("kbd", {}, key.replace("Arrow", ""))), element("td", {}, text))));
  document.body.classList.add(`kind-${data.kind}`);

  document.addEventListener("keydown", onKey);
  for (const id of ["given", "suggested", "decision"]) byId(id).addEventListener("change", refresh);
  byId("search").addEventListener("input", refresh);
  byId("order").addEventListener("change", () => {
    [view.sort, view.ascending] = ORDERS[+byId("order").value];
    refresh();
  });
  for (const node of document.querySelectorAll("th [data-sort]")) {
    node.addEventListener("click", () => {
      view.ascending = view.sort === node.dataset.sort ? !view.ascending : true;
      view.sort = node.dataset.sort;
      refresh();
    });
  }
  byId("undo").addEventListener("click", () => goThrough(store.undo, "undo"));
  byId("redo").addEventListener("click", () => goThrough(store.redo, "redo"));
  byId("mass").addEventListener("click", massActions);
  byId("files").addEventListener("click", files);
  byId("help-open").addEventListener("click", () => byId("help").showModal());
  byId("filters-toggle").addEventListener("click", () => {
    const open = byId("bar").classList.toggle("open");
    byId("filters-toggle").setAttribute("aria-expanded", String(open));
  });
  byId("keys-on").checked = store.keysOfOneLetter;
  byId("keys-on").addEventListener("change", () => { store.keysOfOneLetter = byId("keys-on").checked; });
  addEventListener("storage", takeOver);
  addEventListener("beforeunload", (event) => { if (!store.isKept) event.preventDefault(); });
  // On paper stand all rows that match the filters, and of the decisions those that were taken.
  addEventListener("beforeprint", () => { while (lineOf.size < view.matching.length) append(); });
  byId("reviewer").addEventListener("change", () => { store.reviewer = byId("reviewer").value.trim(); });
  byId("download").addEventListener("click", downloadCsv);
  byId("label-studio").addEventListener("click", labelStudioTasks);
  byId("argilla").addEventListener("click", argillaRecords);
  byId("import").addEventListener("change", () => {
    const [file] = byId("import").files;
    if (file) readFile(file);
  });
  byId("noise").addEventListener("toggle", showMatrix);
  byId("more").addEventListener("click", append);
  // More rows come before one has scrolled to the last.
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting) && lineOf.size < view.matching.length) append();
  }, { rootMargin: "2000px" }).observe(byId("more").parentElement);
  refresh();
