  const byId = (id) => document.getElementById(id);

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== undefined && value !== null) node.setAttribute(name, value);
    }
    // Everything from the data is put in as text.
    node.append(...children.map((child) => (child instanceof Node ? child : String(child))));
    return node;
  }

  function button(text, attributes, onClick) {
    const node = element("button", { type: "button", ...attributes }, text);
    node.addEventListener("click", onClick);
    return node;
  }

  // Names that are written from right to left must not draw the words and figures around them into their direction.
  const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/;
  const nameOf = (code) => (RIGHT_TO_LEFT.test(data.names[code]) ? `\u2068${data.names[code]}\u2069` : data.names[code]);

  // The same for the page: a name may be broken where its parts meet.
  function named(code) {
    const parts = data.names[code].split(/(?<=[_./-])(?=[^_./-])/);
    return element("bdi", {}, ...parts.flatMap((part, i) => (i ? [element("wbr"), part] : [part])));
  }

  const capital = (word) => word[0].toUpperCase() + word.slice(1);
  const grouped = (n) => n.toLocaleString("en");
  const counted = (n, word) => `${grouped(n)} ${word}${n === 1 ? "" : "s"}`;

  // A spreadsheet would run a cell that begins with one of these; the quote makes it text.
  function cellOf(value) {
    const text = String(value);
    return `"${(/^[=+\-@\t\r]/.test(text) ? "'" + text : text).replaceAll('"', '""')}"`;
  }

  const csvOf = (lines) => lines.map((line) => line.map(cellOf).join(",")).join("\r\n") + "\r\n";

  // Lines of cells, whichever separator a spreadsheet has chosen.
  function parseCsv(text) {
    text = text.replace(/^\ufeff/, "").replace(/^sep=.*\r?\n/i, "");
    const header = text.split(/\r?\n/, 1)[0];
    const separator = [",", ";", "\t"].reduce((best, s) => (header.split(s).length > header.split(best).length ? s : best));
    const lines = [];
    let line = [], cell = "", quoted = false;
    for (let i = 0; i < text.length; i++) {
      const c = text[i];
      if (quoted) {
        if (c !== '"') cell += c;
        else if (text[i + 1] === '"') cell += text[++i];
        else quoted = false;
      } else if (c === '"' && cell === "") quoted = true;
      else if (c === separator) { line.push(cell); cell = ""; }
      else if (c === "\n" || c === "\r") {
        if (c === "\r" && text[i + 1] === "\n") i++;
        lines.push([...line, cell]);
        line = []; cell = "";
      } else cell += c;
    }
    if (cell || line.length) lines.push([...line, cell]);
    return lines.filter((cells) => cells.some((value) => value.trim()));
  }

  // 7, 7.0 and 7,0 are one number; NaN for what is none.
  const numberOf = (text) => (text.trim() === "" ? NaN : Number(text.trim().replace(",", ".")));
