  for (const node of document.querySelectorAll("[data-close]")) {
    node.addEventListener("click", () => node.closest("dialog").close());
  }
  for (const node of document.querySelectorAll("dialog")) {
    // Back to the row that it was about; those about the whole list end where they were opened, as the browser does it.
    if (["detail", "picker", "note"].includes(node.id)) {
      node.addEventListener("close", () => {
        const row = lineOf.get(view.current);
        if (row && !document.querySelector("dialog[open]")) row.focus({ preventScroll: true });
      });
    }
    node.addEventListener("click", (event) => { if (event.target === node) node.close(); });
  }

  function detail(issue) {
    setCurrent(issue);
    byId("detail-title").replaceChildren(`Row ${issue.row}: given `, named(issue.given), ", suggested ",
      named(issue.suggested));
    byId("detail-body").replaceChildren(wholeOf(issue), rankingOf(issue), neighborsOf(issue));
    byId("detail-decide").replaceChildren(...decisionButtons(issue, () => byId("detail").close()));
    markButtons(byId("detail-decide"), store.get(issue.row));
    byId("detail").showModal();
  }

  // Classes by their probability for the row, then all others by name; the first nine have a digit.
  function rankedClasses(issue) {
    const ranked = issue.top.map(([code]) => code);
    return [...ranked, ...[...data.names.keys()].filter((code) => !ranked.includes(code))];
  }

  function pickClass(issue) {
    setCurrent(issue);
    byId("picker-title").textContent = `Which class is row ${issue.row}?`;
    const search = byId("picker-search");
    search.value = "";
    const ranked = rankedClasses(issue);
    const show = () => {
      const wanted = search.value.trim().toLowerCase();
      const found = ranked.filter((code) => data.names[code].toLowerCase().includes(wanted));
      byId("picker-list").replaceChildren(...found.slice(0, 100).map((code) => {
        const number = ranked.indexOf(code) < 9 ? `${ranked.indexOf(code) + 1} ` : "";
        const choice = button(number, {}, () => take(code));
        choice.append(named(code));
        return element("li", {}, choice);
      }));
      return found;
    };
    const take = (code) => {
      byId("picker").close();
      decide(issue, decisionFor(issue, code));
    };
    search.oninput = () => {
      show();
      // A digit alone is a choice, unless classes are spelled with it.
      const digit = /^[1-9]$/.test(search.value) && ranked[+search.value - 1];
      if (digit !== undefined && digit !== false && !data.names.some((name) => name.includes(search.value))) take(digit);
    };
    search.onkeydown = (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      const found = show();
      const exact = found.find((code) => data.names[code].toLowerCase() === search.value.trim().toLowerCase());
      if (search.value.trim() && found.length) take(exact ?? found[0]);
    };
    show();
    byId("picker").showModal();
    search.focus();
  }

  function comment(issue) {
    setCurrent(issue);
    byId("note-title").textContent = `Comment on row ${issue.row}`;
    byId("note-text").value = (store.get(issue.row) || {}).comment || "";
    byId("note-save").onclick = () => {
      const text = byId("note-text").value.trim();
      byId("note").close();
      const after = { decision: "", ...store.get(issue.row), comment: text || undefined };
      store.change(`comment on row ${issue.row}`, [[issue.row, after.decision || after.comment ? after : undefined]]);
      refreshRows([issue.row]);
    };
    byId("note").showModal();
    byId("note-text").focus();
  }

  function massActions() {
    const decided = view.matching.filter((issue) => store.decisionOf(issue.row));
    byId("all-text").textContent = `${counted(view.matching.length, "row")} ` +
      `${view.matching.length === 1 ? "matches" : "match"} the filters, ${grouped(decided.length)} of them decided already. ` +
      "This can be undone.";
    byId("all-decided").checked = false;
    byId("all-buttons").replaceChildren(
      button("Accept all", {}, () => decideAll("accept")),
      button("Keep all", {}, () => decideAll("reject")),
      button("Unsure of all", {}, () => decideAll("unsure")),
      button("Remove all", {}, () => decideAll("remove")),
      button("Clear decisions", {}, () => decideAll("")),
    );
    byId("all").showModal();
  }

  function decideAll(decision) {
    const overwrite = byId("all-decided").checked || decision === "";
    const affected = view.matching.filter((issue) => overwrite || !store.decisionOf(issue.row));
    byId("all").close();
    if (!affected.length) {
      say("Nothing to change.");
      return;
    }
    const by = store.reviewer || undefined;
    const what = decision ? `${counted(affected.length, "row")} ${WORDS[decision]}` : `${counted(affected.length, "row")} cleared`;
    store.change(what, affected.map((issue) => {
      const before = store.get(issue.row) || {};
      return [issue.row, decision || before.comment ? { decision, by, comment: before.comment } : undefined];
    }));
    refreshRows(affected.map((issue) => issue.row));
    say(`${what}. Undo (z) takes it back.`);
  }

  function files() {
    byId("reviewer").value = store.reviewer;
    byId("import").value = "";
    byId("import-text").textContent = "";
    byId("import-take").hidden = true;
    byId("files-dialog").showModal();
  }

  async function readFile(file) {
    const text = byId("import-text");
    byId("import-take").hidden = true;
    let found;
    try {
      found = decisionsFrom(await decoded(file));
    } catch (error) {
      text.textContent = error.message;
      return;
    }
    const { changes, fresh, conflicts, agreements, kappa } = compared(found);
    const both = agreements + conflicts;
    text.textContent = `${counted(found.size, "row")} in the file: ${fresh} new here` + (both
      ? `, ${agreements} agree, ${conflicts} in conflict. Agreement ${Math.round(100 * agreements / both)} %` +
        (Number.isNaN(kappa) ? "." : `, kappa ${kappa.toFixed(2)}.`) : ".");
    const take = byId("import-take");
    take.hidden = !changes.length;
    take.onclick = () => {
      byId("files-dialog").close();
      // Anew: another window may have decided since.
      const { changes, fresh, conflicts } = compared(found);
      store.change(`decisions of ${file.name}`, changes);
      refreshRows(changes.map(([row]) => row));
      if (conflicts) {
        byId("decision").value = "conflict";
        refresh();
      }
      say(`${counted(fresh, "decision")} taken over, ${counted(conflicts, "conflict")}. Undo (z) takes it back.`);
    };
  }

  // UTF-8 as this page writes it, or what spreadsheets make of it.
  async function decoded(file) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      return new TextDecoder("windows-1252").decode(bytes);
    }
  }
