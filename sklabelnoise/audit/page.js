"use strict";
(() => {
  const PAGE = 100;
  const data = JSON.parse(document.getElementById("data").textContent);
  const issues = data.issues.map(([row, given, suggested, quality, margin, content]) => ({
    row, given, suggested, quality, margin, content,
    text: [row, data.names[given], data.names[suggested], searchable(content)].join("\n").toLowerCase(),
  }));
  const byId = (id) => document.getElementById(id);
  const body = document.querySelector("#issues tbody");
  const decisions = load();
  const view = { sort: "quality", ascending: true, page: 0, matching: issues };

  // Pictures are data URIs: nobody searches for base64.
  function searchable(content) {
    if (data.kind === "text") return content;
    return data.kind === "values" ? content.map((pair) => pair.join(" ")).join("\n") : "";
  }

  // A browser may refuse storage to pages opened from a file; decisions then live until the page is closed.
  function load() {
    try {
      return new Map(JSON.parse(localStorage.getItem("sklabelnoise " + data.fingerprint) || "[]"));
    } catch {
      return new Map();
    }
  }
  function save() {
    try {
      localStorage.setItem("sklabelnoise " + data.fingerprint, JSON.stringify([...decisions]));
    } catch {
      // As above.
    }
  }

  function element(tag, className, text) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  }

  function cellOfContent(content) {
    const cell = element("td", "content");
    if (data.kind === "image") {
      const image = element("img");
      image.src = content;
      image.alt = "";
      cell.append(image);
    } else if (data.kind === "text") {
      cell.append(element("div", "text", content));
    } else if (data.kind === "values") {
      const list = element("div", "values");
      for (const [name, value] of content) {
        const item = element("span");
        item.append(element("b", "", name + " "), value);
        list.append(item);
      }
      cell.append(list);
    }
    return cell;
  }

  function tick(issue, decision) {
    const cell = element("td", "tick");
    const box = element("input");
    box.type = "checkbox";
    box.checked = decisions.get(issue.row) === decision;
    box.setAttribute("aria-label", `${decision} row ${issue.row}`);
    box.addEventListener("change", () => decide(issue, box.checked ? decision : null));
    cell.append(box);
    return cell;
  }

  function rowOf(issue) {
    const row = element("tr", decisions.get(issue.row) || "");
    row.tabIndex = 0;
    row.issue = issue;
    row.append(
      tick(issue, "accept"),
      tick(issue, "reject"),
      cellOfContent(issue.content),
      element("td", "number", issue.row),
      element("td", "label", data.names[issue.given]),
      element("td", "label", data.names[issue.suggested]),
      element("td", "number", issue.quality.toFixed(4)),
      element("td", "number", issue.margin.toFixed(4)),
    );
    return row;
  }

  function decide(issue, decision) {
    if (decision) decisions.set(issue.row, decision);
    else decisions.delete(issue.row);
    save();
    for (const row of body.children) {
      if (row.issue !== issue) continue;
      row.className = decision || "";
      const [accept, reject] = row.querySelectorAll("input");
      accept.checked = decision === "accept";
      reject.checked = decision === "reject";
    }
    showProgress();
  }

  function showProgress() {
    let accepted = 0;
    for (const decision of decisions.values()) accepted += decision === "accept";
    const rejected = decisions.size - accepted;
    byId("progress").textContent =
      `${accepted} accepted, ${rejected} rejected, ${issues.length - decisions.size} open`;
    byId("download").disabled = decisions.size === 0;
  }

  function refresh() {
    const given = byId("given").value, suggested = byId("suggested").value;
    const wanted = byId("decision").value, search = byId("search").value.trim().toLowerCase();
    view.matching = issues.filter((issue) =>
      (given === "" || issue.given === +given) &&
      (suggested === "" || issue.suggested === +suggested) &&
      (wanted === "" || (decisions.get(issue.row) || "open") === wanted) &&
      (search === "" || issue.text.includes(search)));
    const sign = view.ascending ? 1 : -1;
    // Classes have an order of their own, so labels sort by their number, not by their spelling.
    view.matching.sort((a, b) => sign * (a[view.sort] - b[view.sort]) || a.row - b.row);
    for (const button of document.querySelectorAll("[data-sort]")) {
      if (button.dataset.sort === view.sort) {
        button.setAttribute("aria-sort", view.ascending ? "ascending" : "descending");
      } else button.removeAttribute("aria-sort");
    }
    show(0);
  }

  function show(page) {
    const last = Math.max(0, Math.ceil(view.matching.length / PAGE) - 1);
    view.page = Math.min(Math.max(page, 0), last);
    const start = view.page * PAGE;
    body.replaceChildren(...view.matching.slice(start, start + PAGE).map(rowOf));
    byId("page").textContent = view.matching.length
      ? `${start + 1}–${Math.min(start + PAGE, view.matching.length)} of ${view.matching.length}`
      : "nothing matches";
    byId("previous").disabled = view.page === 0;
    byId("next").disabled = view.page === last;
    showProgress();
  }

  // A spreadsheet would run a cell that begins with one of these; the quote makes it text. Only the row number and the
  // decision are read back.
  function cell(value) {
    const text = String(value);
    return `"${(/^[=+\-@\t\r]/.test(text) ? "'" + text : text).replaceAll('"', '""')}"`;
  }

  function download() {
    const lines = issues.filter((issue) => decisions.has(issue.row)).map((issue) => [
      data.fingerprint, issue.row, data.names[issue.given], data.names[issue.suggested], decisions.get(issue.row),
    ].map(cell).join(","));
    const text = ["report,row,given_label,suggested_label,decision", ...lines].join("\r\n") + "\r\n";
    const link = element("a");
    // The byte order mark tells spreadsheets that this is UTF-8.
    link.href = URL.createObjectURL(new Blob(["\ufeff" + text], { type: "text/csv" }));
    link.download = `decisions-${data.fingerprint}.csv`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function fillSelect(id, role) {
    const select = byId(id);
    select.append(new Option("any", ""));
    const counts = new Map();
    for (const issue of issues) counts.set(issue[role], (counts.get(issue[role]) || 0) + 1);
    for (const code of [...counts.keys()].sort((a, b) => a - b)) {
      select.append(new Option(`${data.names[code]} (${counts.get(code)})`, code));
    }
  }

  document.body.classList.toggle("no-content", data.kind === "none");
  fillSelect("given", "given");
  fillSelect("suggested", "suggested");
  for (const id of ["given", "suggested", "decision"]) byId(id).addEventListener("change", refresh);
  byId("search").addEventListener("input", refresh);
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => {
      view.ascending = view.sort === button.dataset.sort ? !view.ascending : true;
      view.sort = button.dataset.sort;
      refresh();
    });
  }
  function decideMatching(decision) {
    for (const issue of view.matching) {
      if (decision) decisions.set(issue.row, decision);
      else decisions.delete(issue.row);
    }
    save();
    show(view.page);
  }
  byId("accept-shown").addEventListener("click", () => decideMatching("accept"));
  byId("clear-shown").addEventListener("click", () => decideMatching(null));
  byId("download").addEventListener("click", download);
  byId("previous").addEventListener("click", () => show(view.page - 1));
  byId("next").addEventListener("click", () => show(view.page + 1));
  body.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = { a: "accept", r: "reject", u: null };
    if (event.key in keys) decide(row.issue, keys[event.key]);
    else if (event.key === "ArrowDown" && row.nextElementSibling) row.nextElementSibling.focus();
    else if (event.key === "ArrowUp" && row.previousElementSibling) row.previousElementSibling.focus();
    else return;
    event.preventDefault();
  });
  refresh();
})();
