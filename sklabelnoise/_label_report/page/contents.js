  // What there is to see of a row, short in the list and whole in its dialog.

  function pictureOf(content, alt) {
    if (typeof content === "string") {
      return element("img", { src: content, alt, loading: "lazy", decoding: "async" });
    }
    return element("p", { class: "unread" }, content.path || "no picture", element("br"), `(${content.note})`);
  }

  const times = (ratio) => ` ×${ratio >= 10 ? Math.round(ratio) : ratio.toFixed(1)}`;

  // Of the classes behind the first nine the page knows the given one alone.
  const sharesOf = (issue) => (code) => {
    const [, share] = issue.top.find(([other]) => other === code) || (code === issue.given ? [code, issue.quality] : []);
    return share === undefined ? "" : `${Math.round(100 * share)}\u00a0%`;
  };

  function briefOf(issue) {
    const { content } = issue;
    if (data.kind === "image") return pictureOf(content, `row ${issue.row}, given ${nameOf(issue.given)}`);
    if (data.kind === "text") return element("div", { class: "text", dir: "auto" }, content);
    if (data.kind !== "values") return "";
    const list = element("ul", { class: "values" });
    for (const [name, value, ratio] of content) {
      const item = element("li", {}, element("b", {}, element("bdi", {}, name)), " ", element("bdi", {}, value));
      if (ratio !== null && ratio >= 1.1) {
        item.append(element("small", { title: `${ratio} times as frequent among ${nameOf(issue.suggested)} as ` +
          `among ${nameOf(issue.given)}` }, times(ratio)));
      }
      list.append(item);
    }
    return list;
  }

  // Names and values of a row of a table.
  function valuesOf(row, content) {
    const full = data.full[row];
    if (!full) return content || [];
    return data.columns ? data.columns.map((name, j) => [name, full[j]]) : full;
  }

  function wholeOf(issue) {
    if (data.kind === "image") {
      const parts = [pictureOf(issue.content, `row ${issue.row}, given ${nameOf(issue.given)}`)];
      if (issue.id) parts.push(element("p", { class: "id" }, issue.id));
      return element("div", { class: "whole" }, ...parts);
    }
    if (data.kind === "text") {
      return element("div", { class: "whole text", dir: "auto", tabindex: "0", role: "region", "aria-label": "text" },
        fullText(issue));
    }
    return "";
  }

  // Rows that nobody doubts, beside the one in doubt: pictures, texts, or lines of a table.
  function neighborsOf(issue) {
    const groups = [["given", issue.given, issue.nearGiven], ["suggested", issue.suggested, issue.nearSuggested]];
    if (data.kind === "values") return tableOfValues(issue, groups);
    const whole = element("div", { class: "neighbors" });
    for (const [role, code, rows] of groups) {
      if (!rows.length) continue;
      const list = element("ul");
      for (const row of rows) {
        const content = data.others[row];
        list.append(element("li", {}, data.kind === "image"
          ? pictureOf(content, `row ${row}, ${nameOf(code)}`) : element("div", { class: "text", dir: "auto" }, content)));
      }
      whole.append(element("section", {}, element("h3", {}, "most alike among ", named(code), ` (${role})`), list));
    }
    return whole;
  }

  function tableOfValues(issue, groups) {
    const mine = valuesOf(issue.row, issue.content);
    const ratios = new Map(issue.content.map(([name, , ratio]) => [name, ratio]));
    const others = groups.flatMap(([, code, rows]) => rows.map((row) => [row, code, data.full[row]]));
    const head = element("tr", {}, element("th", { scope: "col" }, "column"),
      element("th", { scope: "col" }, `row ${issue.row}`),
      ...others.map(([row, code]) => element("th", { scope: "col" }, `${row}: `, named(code))));
    const body = element("tbody");
    // The values that speak for the suggestion come first.
    const order = mine.map((_, j) => j).sort((a, b) => (ratios.get(mine[b][0]) || 0) - (ratios.get(mine[a][0]) || 0));
    for (const j of order) {
      const ratio = ratios.get(mine[j][0]);
      const speaks = ratio >= 1.1;
      body.append(element("tr", speaks ? { class: "speaks" } : {}, element("th", { scope: "row" }, mine[j][0]),
        element("td", {}, mine[j][1], ...(speaks ? [element("small", {}, times(ratio))] : [])),
        ...others.map(([, , values]) => element("td", {}, data.columns ? values[j] : ""))));
    }
    const table = element("table", { class: "compare" },
      element("caption", {}, element("span", {}, "×: how many times as frequent a value like this is in the suggested class as in the " +
        "given one; the other columns are the rows most alike that nobody doubts")),
      element("thead", {}, head), body);
    return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "values" }, table);
  }

  function rankingOf(issue) {
    const list = element("ol", { class: "ranking" });
    for (const [rank, [code, share]] of issue.top.entries()) {
      const role = code === issue.given ? " (given)" : code === issue.suggested ? " (suggested)" : "";
      const meter = element("span", { class: "meter", "aria-hidden": "true" });
      meter.style.setProperty("--share", share);
      list.append(element("li", {}, element("span", {}, element("kbd", {}, rank + 1), " ", named(code), role), meter,
        element("span", { class: "number" }, `${(100 * share).toFixed(1)}\u00a0%`)));
    }
    return list;
  }
