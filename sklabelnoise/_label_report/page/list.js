  const CHUNK = 60;
  const BUTTONS = [
    ["accept", "Accept", "a", (issue) => `accept ${nameOf(issue.suggested)} for row ${issue.row}`],
    ["reject", "Keep", "k", (issue) => `keep ${nameOf(issue.given)} for row ${issue.row}`],
    ["relabel", "Other…", "o", (issue) => `choose another class for row ${issue.row}`],
    ["unsure", "Unsure", "u", (issue) => `unsure of row ${issue.row}`],
    ["remove", "Remove", "x", (issue) => `remove row ${issue.row}`],
  ];
  const ORDERS = [
    ["quality", true, "worst first"], ["quality", false, "best first"], ["margin", true, "smallest margin first"],
    ["row", true, "by row"], ["given", true, "by given label"], ["suggested", true, "by suggestion"],
  ];
  const body = document.querySelector("#issues tbody");
  const view = { sort: "quality", ascending: true, matching: issues, current: null };
  const lineOf = new Map();

  // One button a decision; `leave` is called before it is taken.
  function decisionButtons(issue, leave) {
    return BUTTONS.map(([decision, text, key, says]) => button(text, { "data-decision": decision,
      title: `${says(issue)} (${key})`, "aria-label": `${text} (${key}): ${says(issue)}`, "aria-pressed": "false" }, () => {
      leave();
      if (decision === "relabel") pickClass(issue);
      else decide(issue, { decision });
    }));
  }

  function markButtons(group, value) {
    for (const node of group.querySelectorAll("button[data-decision]")) {
      node.setAttribute("aria-pressed", String(node.dataset.decision === ((value || {}).decision || "")));
    }
  }

  function line(issue) {
    const row = element("tr", { role: "row", tabindex: "-1", "data-row": issue.row });
    const cell = (className, ...children) => element("td", { role: "cell", class: className }, ...children);
    const buttons = element("div", { class: "decide", role: "group", "aria-label": `decision on row ${issue.row}` });
    buttons.append(...decisionButtons(issue, () => {}));
    buttons.append(button("✎", { class: "plain comment", "aria-label": `comment on row ${issue.row} (c)` },
      () => comment(issue)));
    const brief = cell("content", briefOf(issue));
    if (data.kind !== "none") {
      brief.append(button("more", { class: "plain", "aria-label": `more of row ${issue.row} (Enter)` }, () => detail(issue)));
    }
    const share = sharesOf(issue);
    row.append(
      cell("name", element("b", {}, issue.row), ...(issue.id ? [element("br"), element("small", {}, element("bdi", {}, issue.id))] : [])),
      brief,
      cell("label given", named(issue.given), element("small", {}, ` ${share(issue.given)}`)),
      cell("label suggested", named(issue.suggested), element("small", {}, ` ${share(issue.suggested)}`)),
      cell("number quality", issue.quality.toFixed(4)),
      cell("number margin", issue.margin.toFixed(4)),
      cell("decision", buttons, element("p", { class: "outcome" })),
    );
    row.addEventListener("focusin", () => setCurrent(issue));
    lineOf.set(issue, row);
    mark(issue);
    return row;
  }

  // Show on its line what is decided of a row.
  function mark(issue) {
    const row = lineOf.get(issue);
    if (!row) return;
    const value = store.get(issue.row) || {};
    row.dataset.decision = value.decision || "";
    row.classList.toggle("conflict", Boolean(value.other));
    markButtons(row, value);
    const outcome = row.querySelector(".outcome");
    outcome.replaceChildren();
    if (value.decision === "relabel") outcome.append("→ ", named(value.label), " ");
    if (value.comment) outcome.append(element("i", {}, "“", element("bdi", {}, value.comment), "”"));
    if (value.other) {
      const who = value.other.by || "another reviewer";
      outcome.append(element("b", {}, ` ${who}: ${wordsFor(issue, value.other)} `),
        button("Take that", { class: "plain" }, () => decide(issue, { ...value.other, by: value.other.by })));
    }
  }

  function setCurrent(issue) {
    for (const other of [view.current, issue]) {
      const row = other && lineOf.get(other);
      if (row) {
        row.tabIndex = other === issue ? 0 : -1;
        row.classList.toggle("current", other === issue);
      }
    }
    view.current = issue;
  }

  function focusOn(issue) {
    if (!issue) return;
    while (!lineOf.get(issue) && body.children.length < view.matching.length) append();
    const row = lineOf.get(issue);
    if (!row) return;
    setCurrent(issue);
    row.focus({ preventScroll: true });
    row.scrollIntoView({ block: "nearest" });
  }

  function step(by) {
    const at = view.matching.indexOf(view.current);
    focusOn(view.matching[Math.min(Math.max(at + by, 0), view.matching.length - 1)]);
  }

  function focusOnNextOpen(issue) {
    const at = view.matching.indexOf(issue);
    const later = [...view.matching.slice(at + 1), ...view.matching.slice(0, Math.max(at, 0))];
    focusOn(later.find((other) => !store.decisionOf(other.row)) || issue);
  }

  function decide(issue, value) {
    const before = store.get(issue.row) || {};
    const after = { by: store.reviewer || undefined, ...value, comment: value.comment || before.comment };
    // The same button again takes a decision back.
    const again = before.decision && !before.other && sameDecision(issue, before, after);
    const kept = after.comment ? { decision: "", comment: after.comment } : undefined;
    const what = again ? `row ${issue.row} is open again` : `row ${issue.row}: ${wordsFor(issue, after)}`;
    store.change(what, [[issue.row, again ? kept : after]]);
    refreshRows([issue.row]);
    say(`${what}. Undo (z) takes it back.`);
    if (!again) focusOnNextOpen(issue);
  }

  function refreshRows(rows) {
    for (const row of rows) mark(issueOf.get(row));
    showProgress();
  }

  function goThrough(move, word) {
    const step = move();
    if (!step) {
      say(`Nothing to ${word}.`);
      return;
    }
    const { what, changes, rows } = step;
    refreshRows(rows);
    const done = word === "undo" ? "undone" : "redone";
    const since = "another window has decided since";
    const left = rows.length - changes.length;
    if (!changes.length) say(`Not ${done}: ${what}, where ${since}.`);
    else if (left) say(`${capital(done)}: ${what}, but for ${counted(left, "row")} where ${since}.`);
    else say(`${capital(done)}: ${what}.`);
    focusOn(issueOf.get(changes.length ? changes[0][0] : rows[0]));
  }

  const wantedDecision = {
    "": () => true,
    open: (value) => !value.decision,
    decided: (value) => Boolean(value.decision),
    conflict: (value) => Boolean(value.other),
    comment: (value) => Boolean(value.comment),
  };

  function refresh() {
    const given = byId("given").value, suggested = byId("suggested").value, decision = byId("decision").value;
    const search = byId("search").value.trim().toLowerCase();
    const wanted = wantedDecision[decision] || ((value) => value.decision === decision);
    view.matching = issues.filter((issue) =>
      (given === "" || issue.given === +given) && (suggested === "" || issue.suggested === +suggested) &&
      wanted(store.get(issue.row) || {}) && (search === "" || searchable(issue).includes(search)));
    const sign = view.ascending ? 1 : -1;
    // Classes have an order of their own, so labels sort by their number, not by their spelling.
    view.matching.sort((a, b) => sign * (a[view.sort] - b[view.sort]) || a.row - b.row);
    for (const node of document.querySelectorAll("th [data-sort]")) {
      const head = node.closest("th");
      if (node.dataset.sort === view.sort) head.setAttribute("aria-sort", view.ascending ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    byId("order").value = String(ORDERS.findIndex(([sort, up]) => sort === view.sort && up === view.ascending));
    const n = view.matching.length;
    byId("matching").textContent = n === issues.length ? `all ${counted(n, "row")}` : `${counted(n, "row")} of ${grouped(issues.length)}`;
    lineOf.clear();
    body.replaceChildren();
    append();
    if (!view.matching.length) {
      body.append(element("tr", { role: "row" }, element("td", { role: "cell", colspan: "7" }, issues.length ? "No row matches the filters." : "No label is in doubt, so there is nothing to review.")));
    }
    const first = view.matching[0];
    if (first) setCurrent(view.matching.includes(view.current) && lineOf.get(view.current) ? view.current : first);
    showProgress();
  }

  function append() {
    const start = lineOf.size;
    body.append(...view.matching.slice(start, start + CHUNK).map(line));
    byId("more").hidden = lineOf.size >= view.matching.length;
  }

  function searchable(issue) {
    if (issue.text === undefined) {
      // Pictures are data URIs: nobody searches for base64.
      const content = data.kind === "image" ? (issue.content.path || "")
        : data.kind === "values" ? issue.content.map((pair) => pair.join(" ")).join("\n") : issue.content || "";
      issue.text = [issue.row, issue.id || "", data.names[issue.given], data.names[issue.suggested], content,
      ].join("\n").toLowerCase();
    }
    return issue.text;
  }

  function showProgress() {
    const counts = {};
    let decided = 0, conflicts = 0;
    for (const issue of issues) {
      const value = store.get(issue.row);
      if (!value) continue;
      if (value.other) conflicts += 1;
      if (value.decision) {
        counts[value.decision] = (counts[value.decision] || 0) + 1;
        decided += 1;
      }
    }
    const words = Object.keys(WORDS).filter((word) => counts[word]).map((word) => `${grouped(counts[word])} ${WORDS[word]}`);
    if (conflicts) words.push(counted(conflicts, "conflict"));
    byId("progress").textContent = `${grouped(decided)} of ${grouped(issues.length)} decided` + (words.length ? ` (${words.join(", ")})` : "");
    byId("done").value = issues.length ? decided / issues.length : 0;
    byId("undo").disabled = !store.nextUndo;
    byId("redo").disabled = !store.nextRedo;
    byId("not-kept").hidden = store.isKept;
    byId("undo").title = store.nextUndo ? `Undo: ${store.nextUndo.what} (z)` : "";
  }

  function say(text) {
    byId("status").textContent = text;
    byId("status").classList.add("shown");
    clearTimeout(say.timer);
    say.timer = setTimeout(() => byId("status").classList.remove("shown"), 4000);
  }
