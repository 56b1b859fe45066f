  function save(text, name, type) {
    const link = element("a", { download: name });
    // The byte order mark tells spreadsheets that this is UTF-8.
    link.href = URL.createObjectURL(new Blob([type === "text/csv" ? "\ufeff" + text : text], { type }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  const decidedIssues = () => issues.filter((issue) => store.get(issue.row));

  function downloadCsv() {
    const header = ["report", "row", ...(data.ids ? ["id"] : []), "given_label", "suggested_label", "decision", "label",
      "comment", "reviewer"];
    const lines = decidedIssues().map((issue) => {
      const value = store.get(issue.row);
      const label = value.decision && value.decision !== "remove" ? data.names[labelAfter(issue, value)] : "";
      return [data.fingerprint, issue.row, ...(data.ids ? [issue.id] : []), data.names[issue.given],
        data.names[issue.suggested], value.decision || "", label, value.comment || "", value.by || store.reviewer];
    });
    save(csvOf([header, ...lines]), `decisions-${data.fingerprint}.csv`, "text/csv");
  }

  // What a row is in another tool: a picture as a data URI, a text, or the values of a table as text.
  function contentFor(issue) {
    if (data.kind === "image" && typeof issue.content === "string") return { image: issue.content };
    return { text: fullText(issue) || `row ${issue.row}` };
  }

  function fullText(issue) {
    const full = data.full[issue.row];
    if (data.kind === "text") return full || issue.content;
    if (data.kind === "image") return issue.content.path || issue.content.note;
    if (data.kind !== "values") return "";
    return valuesOf(issue.row, issue.content).map(([name, value]) => `${name}: ${value}`).join("\n");
  }

  // What the model gives the suggestion, which is not always the likeliest class; nothing behind the first nine.
  const scoreOf = (issue) => (issue.top.find(([code]) => code === issue.suggested) || [])[1];

  function labelStudioTasks() {
    const tasks = issues.map((issue) => {
      const content = contentFor(issue);
      const choice = (code) => [{
        from_name: "label", to_name: Object.keys(content)[0], type: "choices", value: { choices: [data.names[code]] },
      }];
      const value = store.get(issue.row);
      const final = value && ["accept", "reject", "relabel"].includes(value.decision);
      return {
        data: { ...content, row: issue.row, id: issue.id, given_label: data.names[issue.given], quality: issue.quality,
          decision: value && value.decision, comment: value && value.comment },
        predictions: [{ model_version: `sklabelnoise ${data.fingerprint}`, score: scoreOf(issue),
          result: choice(issue.suggested) }],
        annotations: final ? [{ result: choice(labelAfter(issue, value)) }] : [],
      };
    });
    save(JSON.stringify(tasks, null, 1), `label-studio-${data.fingerprint}.json`, "application/json");
  }

  // As argilla's Record.from_dict takes them. A response there belongs to an account, so a decision is a suggestion
  // that names the reviewer.
  function argillaRecords() {
    const records = issues.map((issue) => {
      const value = store.get(issue.row) || {};
      const final = ["accept", "reject", "relabel"].includes(value.decision);
      return {
        id: `${data.fingerprint}-${issue.row}`,
        fields: contentFor(issue),
        metadata: { row: issue.row, given_label: data.names[issue.given], quality: issue.quality,
          ...(value.decision ? { decision: value.decision } : {}), ...(value.comment ? { comment: value.comment } : {}) },
        suggestions: { label: final
          ? { value: data.names[labelAfter(issue, value)], score: 1, agent: value.by || store.reviewer || "reviewer" }
          : { value: data.names[issue.suggested], score: scoreOf(issue), agent: "sklabelnoise" } },
        responses: {},
        vectors: {},
      };
    });
    save(JSON.stringify(records, null, 1), `argilla-${data.fingerprint}.json`, "application/json");
  }
