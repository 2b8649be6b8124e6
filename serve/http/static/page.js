"use strict";
// The page at /: a form made from a task's contract, the answer, and what led to it. Everything a
// server says is put into the page as text, never as HTML.

const MOST_EFFECTS = 10; // columns drawn before "show all"
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;
const SCORES = { logit: "log odds", softmax: "score", log: "logarithm of the value" };

const page = {
  key: "", // only ever here
  cards: new Map(), // by task: what /model/info says
  examples: new Map(), // by task: a row that is answered
  turn: 0, // counts questions, so that a late answer to an old one is dropped
};

const byId = (id) => document.getElementById(id);

/** Make an element: classes after dots, properties, and children that are elements or texts. */
function make(kind, properties = {}, ...children) {
  const [tag, ...classes] = kind.split(".");
  const element = document.createElement(tag);
  element.classList.add(...classes);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Ask the server; the answer's status (0 if there was none) and its JSON. */
async function ask(path, body) {
  const headers = page.key ? { Authorization: `Bearer ${page.key}` } : {};
  const options = { headers };
  if (body !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  try {
    const response = await fetch(path, options);
    return { status: response.status, content: await response.json() };
  } catch (error) {
    return { status: 0, content: { detail: `the server cannot be reached (${error.message})` } };
  }
}

function tell(message) {
  byId("notice").textContent = message;
  byId("notice").hidden = !message;
}

// Words and numbers

function formatter(options) {
  const format = new Intl.NumberFormat("en", options);
  return (number) => {
    const size = Math.abs(number);
    const isPlain = size === 0 || (size >= 1e-4 && size < 1e15);
    return (isPlain ? format.format(number) : number.toPrecision(3)).replace("-", "−");
  };
}

const whole = formatter({ maximumFractionDigits: 0 });
const four = formatter({ maximumSignificantDigits: 4 });
const plain = formatter({ maximumSignificantDigits: 15 }); // as it was declared or sent
const signed = formatter({
  minimumSignificantDigits: 3,
  maximumSignificantDigits: 3,
  signDisplay: "exceptZero",
});
const rounded = (number) => (Math.abs(number) >= 1000 ? whole : four)(number);
const metric = (number) => (Math.abs(number) < 10 ? number.toFixed(3) : rounded(number));
const share = (probability) =>
  probability > 0 && probability < 0.001 ? "< 0.001" : probability.toFixed(3);

/** A name's parts, which a narrow page may put on lines of their own. */
const breakable = (name) =>
  name.split(/(?<=_)/).flatMap((part, at) => (at ? [make("wbr"), part] : [part]));

function shown(value) {
  if (value === null || value === undefined) return "missing";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") return plain(value);
  return value.length > 60 ? `${value.slice(0, 60)}…` : value;
}

// The task

async function start() {
  const { status, content } = await ask("model/info");
  if (status === 401 || status === 403) return askForKey(content.detail);
  byId("key-form").hidden = true;
  if (status !== 200) return tell(content.detail);
  tell(content.models.length ? "" : content.problem);
  page.cards = new Map(content.models.map((card) => [card.task, card]));
  byId("task").replaceChildren(
    ...content.models.map((card) => make("option", { value: card.task }, card.title)),
  );
  const wanted = readHash();
  const first = [wanted, content.default, content.models[0]?.task];
  const task = first.find((name) => page.cards.has(name));
  byId("workplace").hidden = task === undefined;
  if (task === undefined) return;
  byId("task").value = task;
  show(task);
  await readExamples();
}

/** The task that the address names; any other text names none. */
function readHash() {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return "";
  }
}

function askForKey(reason) {
  byId("key-form").hidden = false;
  byId("workplace").hidden = true;
  tell(page.key ? reason : "");
  byId("key").focus();
}

/** The examples of the API's document are rows that the models answer. */
async function readExamples() {
  const { status, content } = await ask("openapi.json");
  if (status !== 200) return;
  for (const task of page.cards.keys()) {
    const body = content.paths[`/predict/${task}`]?.post.requestBody;
    const row = body?.content["application/json"].examples?.row;
    if (row) page.examples.set(task, row.value);
  }
  byId("example").disabled = !page.examples.has(byId("task").value);
}

function show(task) {
  const card = page.cards.get(task);
  page.turn += 1;
  history.replaceState(null, "", `#${encodeURIComponent(task)}`);
  document.title = `${card.title} · Predictions`;
  byId("about").textContent = about(card);
  byId("card").href = `model/info/${encodeURIComponent(task)}`;
  byId("card").hidden = Boolean(page.key); // a link cannot send the key
  byId("example").disabled = !page.examples.has(task);
  byId("fields").replaceChildren(...card.columns.map(field));
  forget();
}

function about(card) {
  const named = Object.entries(card.metrics).find(([, it]) => typeof it?.value === "number");
  const model = `${card.model.family}, version ${card.version}`;
  if (!named) return model;
  const [name, { value, low, high }] = named;
  const interval = typeof low !== "number" ? "" : ` [${metric(low)}, ${metric(high)}]`;
  const rows = Number.isInteger(card.metrics.n) ? ` on ${plain(card.metrics.n)} test rows` : "";
  return `${model}: ${name} ${metric(value)}${interval}${rows}`;
}

// The form

function field(column, index) {
  const control = controlOf(column);
  control.id = `field-${index}`;
  control.classList.add("control");
  control.setAttribute("aria-describedby", `about-${index} found-${index}`);
  const unit = column.unit ? make("span.unit", {}, ` ${column.unit}`) : null;
  const box = make(
    "div.field",
    {},
    make("label", { htmlFor: control.id }, column.name, unit),
    make("p.hint", { id: `about-${index}` }, hintOf(column)),
    control,
    make("p", { id: `found-${index}`, hidden: true }),
  );
  if (column.type === "text") box.classList.add("wide");
  return box;
}

function hintOf(column) {
  const words = column.description ? [column.description] : [];
  const ends = column.range ?? column.seen;
  if (ends) words.push(`${plain(ends[0])} to ${plain(ends[1])}`);
  if (column.length) words.push(`${column.length[0]} to ${plain(column.length[1])} characters`);
  if (column.type === "datetime") words.push("UTC");
  if (column.missing === "allowed") words.push("may be empty");
  return words.join(" · ");
}

function controlOf(column) {
  const none = column.missing === "allowed" ? "missing" : "choose…";
  switch (column.type) {
    case "category":
      return choice([none, ...column.values.map(String)]);
    case "boolean":
      return choice([none, "yes", "no"]);
    case "datetime":
      return make("input", { type: "datetime-local", step: 1 });
    case "text":
      return make("textarea", { rows: 4 });
    default:
      return make("input", {
        type: "text",
        inputMode: column.type === "integer" ? "numeric" : "decimal",
        autocomplete: "off",
      });
  }
}

/** A list whose first entry stands for no value; the others are counted from 0. */
function choice(words) {
  const options = words.map((word, at) => make("option", { value: at ? at - 1 : "" }, word));
  return make("select", {}, ...options);
}

/** The value of a control as the API takes it; what is no number goes as it was typed. */
function read(column, control) {
  const typed = control.value;
  if (typed.trim() === "") return null;
  switch (column.type) {
    case "category":
      return column.values[Number(typed)];
    case "boolean":
      return typed === "0";
    case "number":
    case "integer": {
      const number = Number(typed);
      return NUMBER.test(typed.trim()) && Number.isFinite(number) ? number : typed;
    }
    default:
      return typed;
  }
}

function write(column, control, value) {
  if (value === null || value === undefined) control.value = "";
  else if (column.type === "category") control.value = column.values.indexOf(value);
  else if (column.type === "boolean") control.value = value ? 0 : 1;
  else if (column.type === "datetime") control.value = local(value);
  else control.value = value;
}

/** A date of the API, in UTC where it does not say, as the input takes it. */
function local(text) {
  const zoned = /T.*(Z|[+-]\d\d:\d\d)$/.test(text) || !text.includes("T") ? text : `${text}Z`;
  return new Date(zoned).toISOString().slice(0, 19);
}

const current = () => page.cards.get(byId("task").value);
const control = (index) => byId(`field-${index}`);

function rowOf(card) {
  return Object.fromEntries(card.columns.map((it, at) => [it.name, read(it, control(at))]));
}

function fillIn() {
  const card = current();
  const row = page.examples.get(card.task);
  card.columns.forEach((column, index) => write(column, control(index), row[column.name]));
  forget();
}

/** Say something about a field beside it; without words, take back what was said. */
function note(index, kind, words) {
  const place = byId(`found-${index}`);
  place.className = kind;
  place.textContent = words;
  place.hidden = !words;
  control(index).setAttribute("aria-invalid", String(kind === "error"));
}

function forget() {
  current().columns.forEach((_, index) => note(index, "", ""));
  tell("");
  const words = "Fill in the form, or take the example, to see an answer and what led to it.";
  byId("result").replaceChildren(make("p.empty", {}, words));
}

/** Note findings beside their fields; those of no field are returned. */
function noteAll(card, findings, kind) {
  const rest = [];
  for (const finding of findings) {
    const index = card.columns.findIndex((column) => column.name === finding.loc.at(-1));
    if (index < 0) rest.push(finding.msg);
    else note(index, kind, finding.msg);
  }
  return rest;
}

// The answer

async function predict(event) {
  event.preventDefault();
  const card = current();
  const row = rowOf(card);
  forget();
  const turn = ++page.turn;
  const path = `${card.explanation ? "explain" : "predict"}/${encodeURIComponent(card.task)}`;
  byId("predict").disabled = true;
  const { status, content } = await ask(path, row);
  byId("predict").disabled = false;
  if (turn !== page.turn) return;
  if (status === 401 || status === 403) return askForKey(content.detail);
  if (status === 422) return refuse(card, content.detail);
  if (status !== 200) return tell(content.detail);
  answer(card, row, content);
}

function refuse(card, findings) {
  const rest = noteAll(card, findings, "error");
  const count = findings.length - rest.length;
  const words = count ? [count === 1 ? "A value does not fit." : `${count} values do not fit.`] : [];
  tell([...words, ...rest].join(" "));
  document.querySelector('[aria-invalid="true"]')?.focus();
}

function answer(card, row, content) {
  const explained = content.explanations?.[0];
  const prediction = explained?.prediction ?? content.predictions[0];
  noteAll(card, prediction.warnings, "warning");
  const parts = [
    card.target.labels.length ? classAnswer(card, prediction) : valueAnswer(card, prediction),
    warnings(prediction.warnings),
    explained ? explanation(card, explained.scores, prediction, content.link) : unexplained(),
    details(row, content),
  ];
  byId("result").replaceChildren(...parts.filter(Boolean));
  if (matchMedia("(max-width: 52rem)").matches) byId("result").scrollIntoView();
}

function classAnswer(card, prediction) {
  const { positive, threshold, labels } = card.target;
  const found = prediction.probabilities;
  const order = labels.length > 2 ? [...labels].sort((a, b) => found[b] - found[a]) : labels;
  const rule = threshold === null ? "" : `${positive} is answered from ${share(threshold)} on`;
  const caption = make("caption.sub", {}, "Probabilities");
  const rows = order.map((label) => {
    const kind = label === prediction.label ? "chosen" : "other";
    const mark = label === positive && threshold !== null ? at("span.mark", threshold) : null;
    return line(label, [bar(0, found[label], kind), mark], share(found[label]));
  });
  return make(
    "div.stack",
    {},
    make("h2.answer", {}, prediction.label),
    make("table", {}, caption, make("tbody", {}, ...rows)),
    rule ? make("p.hint", {}, rule) : null,
  );
}

function valueAnswer(card, prediction) {
  const { unit, interval } = card.target;
  const [low, high] = prediction.interval ?? [];
  const words = interval
    ? `${four(interval.coverage * 100)} % of true values lie between ` +
      `${rounded(low)} and ${rounded(high)}`
    : "";
  return make(
    "div.stack",
    {},
    make("h2.answer", {}, rounded(prediction.value), unit ? make("span.unit", {}, ` ${unit}`) : null),
    words ? make("p.sub", {}, words) : null,
  );
}

function warnings(found) {
  if (!found.length) return null;
  const items = found.map((it) => make("li.warning", {}, `${it.loc.at(-1)}: ${it.msg}`));
  return make("ul.warnings", { ariaLabel: "Warnings" }, ...items);
}

function unexplained() {
  return make("p.hint", {}, "This kind of model has no exact explanation of its answers.");
}

function details(row, content) {
  const json = JSON.stringify({ request: row, answer: content }, null, 2);
  const summary = make("summary", {}, "Request and answer as JSON");
  return make("details", {}, summary, make("pre", { tabIndex: 0 }, json));
}

// The explanation

/** Draw the effects on one score; with several, a list chooses whose. */
function explanation(card, scores, prediction, link) {
  const drawing = make("div.stack");
  const draw = (score) => drawing.replaceChildren(...effects(card, score, link));
  const first = scores.find((score) => score.label === prediction.label) ?? scores[0];
  draw(first);
  const heading = make("h3", {}, "What led to it");
  if (scores.length === 1) return make("div.stack", {}, heading, drawing);
  const options = scores.map((score) => make("option", {}, score.label));
  const select = make("select", { id: "whose" }, ...options);
  select.selectedIndex = scores.indexOf(first);
  select.addEventListener("change", () => draw(scores[select.selectedIndex]));
  const label = make("label", { htmlFor: "whose" }, "Score of");
  return make("div.stack", {}, heading, make("div.whose", {}, label, select), drawing);
}

function effects(card, score, link) {
  const sorted = [...score.contributions].sort(
    (a, b) => Math.abs(b.contribution) - Math.abs(a.contribution),
  );
  const sizes = sorted.map((it) => it.contribution);
  const span = { low: Math.min(0, ...sizes), high: Math.max(0, ...sizes) };
  const lines = sorted.map((it) => effect(it, span, card));
  const all = make("button", { type: "button" }, `Show all ${lines.length}`);
  const rest = lines.slice(MOST_EFFECTS);
  rest.forEach((it) => (it.hidden = true));
  all.addEventListener("click", () => {
    rest.forEach((it) => (it.hidden = false));
    all.remove();
  });
  const caption = make("caption.sub", {}, sentence(card, score, link));
  const table = make("table.effects", {}, caption, make("tbody", {}, ...lines));
  return [table, legend(), rest.length ? make("div", {}, all) : null].filter(Boolean);
}

function sentence(card, score, link) {
  const what = card.target.labels.length
    ? `a probability of ${share(score.answer)} for ${score.label}`
    : `${rounded(score.answer)} ${card.target.unit ?? ""}`.trim();
  const name = SCORES[link];
  const base = rounded(score.base);
  return name
    ? `From ${base}, where nothing is known, to ${rounded(score.score)} (${name}): ${what}.`
    : `From ${base}, where nothing is known, to ${what}.`;
}

function effect({ name, value, contribution }, span, card) {
  const column = card.columns.find((it) => it.name === name);
  const told = column ? ` = ${shown(value)}` : null;
  const unit = told && value !== null && column.unit ? ` ${column.unit}` : null;
  const title = make(
    "span",
    {},
    make("span.name", {}, ...breakable(name)),
    told,
    unit ? make("span.unit", {}, unit) : null,
    column ? null : make("span.derived", {}, " (derived)"),
  );
  const width = span.high - span.low || 1;
  const place = (number) => (number - span.low) / width;
  const kind = contribution < 0 ? "lowers" : "raises";
  const ends = [place(Math.min(0, contribution)), place(Math.max(0, contribution))];
  return line(title, [bar(...ends, kind), at("span.mark", place(0))], signed(contribution));
}

function legend() {
  const words = ["raises", "lowers"].map((kind) => make(`span.${kind}`, {}, `${kind} the score`));
  return make("p.legend.hint", { ariaHidden: "true" }, ...words);
}

/** A row of a table: what it is of, a drawing that only repeats the number, the number. */
function line(title, drawing, number) {
  const track = make("div.track", { ariaHidden: "true" }, ...drawing.filter(Boolean));
  return make(
    "tr",
    {},
    make("th", { scope: "row" }, title),
    make("td", {}, track),
    make("td.number", {}, number),
  );
}

function bar(from, to, kind) {
  const element = at(`span.bar.${kind}`, from);
  element.style.width = `max(${(to - from) * 100}%, 1px)`;
  return element;
}

function at(kind, place) {
  const element = make(kind);
  element.style.left = `${place * 100}%`;
  return element;
}

byId("task").addEventListener("change", (event) => show(event.target.value));
byId("form").addEventListener("submit", predict);
byId("form").addEventListener("reset", forget);
byId("example").addEventListener("click", fillIn);
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  page.key = byId("key").value.trim();
  byId("key").value = "";
  start();
});
addEventListener("hashchange", () => {
  const task = decodeURIComponent(location.hash.slice(1));
  if (!page.cards.has(task) || task === byId("task").value) return;
  byId("task").value = task;
  show(task);
});
start();
