  const WORDS = {
    accept: "accepted", reject: "kept", relabel: "relabeled", unsure: "unsure", remove: "removed",
  };

  // A decision as a text: equal ones are equal, whether they come from this window or from storage.
  const spelled = (value) => (value ? JSON.stringify([value.decision || "", value.label, value.comment || "",
    value.by || "", spelled(value.other)]) : "");

  // What reviewers decided: row to {decision, label, comment, by, other}. `label` is the code of the class for "relabel";
  // `other` is what another reviewer decided who does not agree.
  const store = (() => {
    const key = `sklabelnoise ${data.fingerprint}`;
    let decided = new Map();
    let reviewer = "";
    let past = [], future = [];
    let keysOfOneLetter = true;
    let isKept = true;  // what a browser that refuses storage takes back when the page is closed

    function read(text) {
      const kept = JSON.parse(text || "{}");
      decided = new Map(kept.decided || []);
      reviewer = kept.reviewer || "";
      keysOfOneLetter = kept.keysOfOneLetter !== false;
    }

    try {
      // A browser may refuse storage to pages opened from a file; decisions then live until the page is closed.
      read(localStorage.getItem(key));
    } catch { /* as above */ }

    function keep() {
      try {
        localStorage.setItem(key, JSON.stringify({ reviewer, keysOfOneLetter, decided: [...decided] }));
        isKept = true;
      } catch {
        isKept = false;
      }
    }

    function put(row, value) {
      if (value) decided.set(row, value);
      else decided.delete(row);
    }

    // Takes the last step of one list back, or again. A row on which another window has decided since stays as it is:
    // what this window did there holds no longer. `changes` are the rest.
    function go(list, other, between) {
      const step = list.pop();
      if (!step) return null;
      const changes = step.changes.filter((change) => spelled(decided.get(change[0])) === spelled(between(change)[0]));
      for (const change of changes) put(change[0], between(change)[1]);
      if (changes.length) {
        other.push({ ...step, changes });
        keep();
      }
      return { ...step, changes, rows: step.changes.map(([row]) => row) };
    }

    return {
      get: (row) => decided.get(row),
      decisionOf: (row) => (decided.get(row) || {}).decision || "",
      get reviewer() { return reviewer; },
      set reviewer(name) { reviewer = name; keep(); },
      get keysOfOneLetter() { return keysOfOneLetter; },
      set keysOfOneLetter(on) { keysOfOneLetter = on; keep(); },
      get isKept() { return isKept; },
      // What another window with this report has kept, or this one just before it was loaded again, which a browser may
      // hand over late. It takes nothing away that is in this page alone: storage was cleared, or refused to it.
      takeOver(event) {
        if (event.key !== key || !event.newValue || !isKept) return false;
        read(event.newValue);
        return true;
      },
      get nextUndo() { return past.at(-1); },
      get nextRedo() { return future.at(-1); },
      // One step: changes is a list of [row, value after it], value undefined for none.
      change(what, changes) {
        past.push({ what, changes: changes.map(([row, after]) => [row, decided.get(row), after]) });
        future = [];
        for (const [row, after] of changes) put(row, after);
        keep();
      },
      undo: () => go(past, future, ([, before, after]) => [after, before]),
      redo: () => go(future, past, ([, before, after]) => [before, after]),
    };
  })();

  // A class that is chosen by name is the suggestion, the given label, or another one.
  function decisionFor(issue, code) {
    if (code === issue.suggested) return { decision: "accept" };
    if (code === issue.given) return { decision: "reject" };
    return { decision: "relabel", label: code };
  }

  const labelAfter = (issue, value) =>
    value.decision === "accept" ? issue.suggested : value.decision === "relabel" ? value.label : issue.given;

  const sameDecision = (issue, a, b) =>
    a.decision === b.decision && labelAfter(issue, a) === labelAfter(issue, b);

  function wordsFor(issue, value) {
    if (value.decision === "relabel") return `relabeled ${nameOf(value.label)}`;
    return value.decision === "accept" ? `accepted ${nameOf(issue.suggested)}` : WORDS[value.decision];
  }

  // Decisions of a file, by row; an error says what is wrong with it.
  function decisionsFrom(text) {
    const [header = [], ...lines] = parseCsv(text);
    const names = header.map((name) => name.trim().toLowerCase());
    const at = (line, name) => (names.includes(name) ? line[names.indexOf(name)] || "" : "");
    if (!names.includes("row") || !names.includes("decision")) {
      throw new Error("This is no file of decisions: it has no columns row and decision.");
    }
    const found = new Map();
    for (const line of lines) {
      const decision = at(line, "decision").trim().toLowerCase();
      const comment = at(line, "comment").replace(/^'(?=[=+\-@])/, "");
      if (!decision && !comment) continue;
      const row = numberOf(at(line, "row"));
      const issue = issueOf.get(row);
      const report = at(line, "report").trim();
      const known = [data.fingerprint, data.fingerprint.replace(/^r/, "")].includes(report);
      const spoiled = report !== "" && !Number.isNaN(numberOf(report)) && names.includes("given_label");
      if (names.includes("report") && !known && !spoiled) {
        throw new Error(`These decisions are about another report: they name ${report || "none"}.`);
      }
      if (!issue) throw new Error(`Row ${at(line, "row")} is not on this page.`);
      if (names.includes("given_label") && codeOf(at(line, "given_label")) !== issue.given) {
        throw new Error(`These decisions are about other data: row ${row} was given ${nameOf(issue.given)}, ` +
          `they say ${at(line, "given_label")}.`);
      }
      if (decision && !(decision in WORDS)) throw new Error(`Row ${row} has the unknown decision ${decision}.`);
      const value = { decision, by: at(line, "reviewer") || undefined, comment: comment || undefined };
      if (decision === "relabel") {
        const code = codeOf(at(line, "label"));
        if (code < 0) throw new Error(`Row ${row} is to have the unknown label ${at(line, "label")}.`);
        Object.assign(value, decisionFor(issue, code));
      }
      if (found.has(row) && !sameDecision(issue, found.get(row), value)) {
        throw new Error(`The file decides row ${row} in two ways.`);
      }
      found.set(row, value);
    }
    return found;
  }

  const codeOf = (() => {
    const plain = (text) => text.replaceAll("\r\n", "\n").replaceAll("\r", "\n").toWellFormed();
    const exact = new Map(data.names.map((name, code) => [plain(name), code]));
    const one = (codes) => (codes.length === 1 ? codes[0] : -1);
    return (cell) => {
      const text = plain(cell);
      for (const spelled of [text, text.replace(/^'/, "")]) if (exact.has(spelled)) return exact.get(spelled);
      const folded = data.names.flatMap((name, code) =>
        name.trim().toLowerCase() === text.trim().toLowerCase() ? [code] : []);
      if (folded.length) return one(folded);
      const number = numberOf(text);
      return one(data.names.flatMap((name, code) => (numberOf(name) === number ? [code] : [])));
    };
  })();

  // How two reviewers compare, and what taking over the other's decisions changes.
  function compared(theirs) {
    const changes = [];
    const pairs = [];
    let conflicts = 0, fresh = 0;
    for (const [row, value] of theirs) {
      const issue = issueOf.get(row);
      const mine = store.get(row);
      if (!mine || !mine.decision) {
        fresh += 1;
        changes.push([row, { ...value, comment: value.comment || (mine && mine.comment) }]);
      } else if (value.decision) {
        pairs.push([`${mine.decision} ${labelAfter(issue, mine)}`, `${value.decision} ${labelAfter(issue, value)}`]);
        if (sameDecision(issue, mine, value)) continue;
        conflicts += 1;
        changes.push([row, { ...mine, other: value }]);
      }
    }
    return { changes, fresh, conflicts, agreements: pairs.length - conflicts, kappa: kappaOf(pairs) };
  }

  // Cohen's kappa over what both decided.
  function kappaOf(pairs) {
    const shares = (side) => {
      const counts = new Map();
      for (const pair of pairs) counts.set(pair[side], (counts.get(pair[side]) || 0) + 1 / pairs.length);
      return counts;
    };
    const [mine, theirs] = [shares(0), shares(1)];
    let chance = 0;
    for (const [word, share] of mine) chance += share * (theirs.get(word) || 0);
    const agree = pairs.filter(([a, b]) => a === b).length / pairs.length;
    return chance < 1 ? (agree - chance) / (1 - chance) : NaN;
  }
