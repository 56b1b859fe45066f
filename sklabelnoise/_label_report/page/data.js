  const data = JSON.parse(document.getElementById("data").textContent);
  const issues = data.issues.map(([row, id, given, suggested, quality, margin, content, top, nearGiven, nearSuggested]) =>
    ({ row, id, given, suggested, quality, margin, content, top, nearGiven, nearSuggested }));
  const issueOf = new Map(issues.map((issue) => [issue.row, issue]));
