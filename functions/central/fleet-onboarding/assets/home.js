// The home page. It lists the regions; everything else goes from the browser straight to the region that a person
// chose, so that home never sees who signs up or who looks for a workspace.

const TIMEOUT_MS = 15_000;
const DAY_MIN = 24 * 60;
/** How often a region is asked for its latency; the first answer, which opens the connection, does not count. */
const MEASUREMENTS = 4;
const LOOK_EVERY_MS = 2_000;

const EN = {
  title: "Choose where your data lives",
  lead: "Your workspace is made in one region, and everything about your people stays there. This page talks to the regions directly and keeps nothing of what you enter.",
  language: "Language",
  loading: "One moment …",
  regions: "Regions",
  "no-regions": "The regions cannot be listed right now. Please try again.",
  shared: "You sign up here, or have it arranged centrally. Your data stays in the region; figures without names leave it, for the bill.",
  regional: "You sign up in the region itself. Your data stays there; figures without names leave it, for the bill.",
  sovereign: "You sign up in the region itself. Everything stays there, billing included; only totals over many customers leave it.",
  open: "Open to new workspaces",
  closed: "Takes no new workspaces",
  measuring: "measuring …",
  silent: "does not answer",
  nearest: "Nearest to you",

  "sign-up": "Sign up in",
  organisation: "Organisation",
  name: "Your name",
  email: "E-mail address",
  password: "Password",
  "password-rule": "At least 12 characters, with a lower-case letter, an upper-case letter and a digit.",
  plan: "Plan",
  "mail-language": "Language of the workspace",
  "billing-anchor": "Days and months of the bill begin",
  "billing-anchor-rule": "This cannot be changed later.",
  "midnight-utc": "at midnight, UTC",
  "midnight-here": "at midnight where I am ({} UTC)",
  "agree-terms": "I agree to the terms of service",
  "agree-data-processing": "I agree to the data-processing agreement",
  version: "(version {})",
  "sign-up-button": "Create the workspace",

  progress: "Your workspace is being made",
  registration: "Registration",
  identity: "Account",
  confirmation: "Address confirmed",
  provisioning: "Resources",
  routing: "Address of the workspace",
  activation: "Ready for use",
  "step-waiting": "to come",
  "step-done": "done",
  "step-failed": "failed",
  "code-lead": "We have mailed you a code. Enter it to confirm your address.",
  code: "Code",
  confirm: "Confirm",
  resend: "Send another code",
  retry: "Try again",
  done: "Your workspace is ready. People sign in at",
  "sign-in": "Sign in",

  find: "Find my workspaces",
  "find-lead": "You have a workspace and do not know its address? Each region mails you its own list.",
  "find-button": "Send me the lists",
  found: "If workspaces belong to this address, the lists are on their way to it.",

  "field-organisation": "Please enter a name of at most 200 characters.",
  "field-name": "Please enter a name of at most 120 characters.",
  "field-email": "Please enter an address at which you can be reached for longer, such as name@example.com.",
  "field-password": "The password does not meet the rules.",
  "field-plan": "Please choose a plan of this region.",
  "field-language": "Please choose a language.",
  "field-billing_anchor": "Please choose when days begin.",
  "field-terms": "The terms have changed. Please agree to the version that holds now.",
  "field-data_processing": "The agreement has changed. Please agree to the version that holds now.",

  "say-resent": "Another code is on its way.",
  "say-invalid-fields": "Please look at the fields that are marked.",
  "say-weak-password": "The password does not meet the rules.",
  "say-region-closed": "This region takes no new workspaces any more.",
  "say-account-refused": "The account was refused. Please use another e-mail address.",
  "say-identity-unavailable": "Accounts cannot be made right now. What you entered is kept: please send it once more in a moment.",
  "say-try-again": "There is too much to do right now. Please try again in a moment.",
  "say-too-many-requests": "Too many attempts. Please wait a few minutes.",
  "say-too-many-attempts": "Too many wrong codes. Please wait a few minutes.",
  "say-wrong-code": "The code is wrong. Please try again.",
  "say-expired-code": "The code is no longer valid. Please have another one sent.",
  "say-confirmation-refused": "The account takes no confirmation. Please sign up once more.",
  "say-repeat-sign-up": "The account could not be made. Please send the form once more.",
  "say-repeat-sign-up-with-other-password": "The password was refused. Please send the form once more, with another one.",
  "say-ended": "This sign-up has ended. Please begin anew.",
  "say-failed": "A step has failed. What is done so far is kept.",
  "say-unreachable": "There is no connection to the region. Please try again.",
  "say-internal": "Something failed on our side. Please try again.",
};

const DE = {
  title: "Wählen Sie, wo Ihre Daten leben",
  lead: "Ihr Arbeitsbereich entsteht in einer Region, und alles über Ihre Leute bleibt dort. Diese Seite spricht unmittelbar mit den Regionen und behält nichts von dem, was Sie eingeben.",
  language: "Sprache",
  loading: "Einen Moment …",
  regions: "Regionen",
  "no-regions": "Die Regionen lassen sich gerade nicht auflisten. Bitte versuchen Sie es erneut.",
  shared: "Sie registrieren sich hier oder lassen es zentral erledigen. Ihre Daten bleiben in der Region; Zahlen ohne Namen verlassen sie für die Rechnung.",
  regional: "Sie registrieren sich in der Region selbst. Ihre Daten bleiben dort; Zahlen ohne Namen verlassen sie für die Rechnung.",
  sovereign: "Sie registrieren sich in der Region selbst. Alles bleibt dort, auch die Abrechnung; nur Summen über viele Kunden verlassen sie.",
  open: "Offen für neue Arbeitsbereiche",
  closed: "Nimmt keine neuen Arbeitsbereiche auf",
  measuring: "wird gemessen …",
  silent: "antwortet nicht",
  nearest: "Am nächsten",

  "sign-up": "Registrieren in",
  organisation: "Organisation",
  name: "Ihr Name",
  email: "E-Mail-Adresse",
  password: "Passwort",
  "password-rule": "Mindestens 12 Zeichen, darunter ein Kleinbuchstabe, ein Großbuchstabe und eine Ziffer.",
  plan: "Tarif",
  "mail-language": "Sprache des Arbeitsbereichs",
  "billing-anchor": "Tage und Monate der Abrechnung beginnen",
  "billing-anchor-rule": "Das lässt sich später nicht ändern.",
  "midnight-utc": "um Mitternacht, UTC",
  "midnight-here": "um Mitternacht an meinem Ort ({} UTC)",
  "agree-terms": "Ich stimme den Nutzungsbedingungen zu",
  "agree-data-processing": "Ich stimme der Vereinbarung zur Auftragsverarbeitung zu",
  version: "(Version {})",
  "sign-up-button": "Arbeitsbereich anlegen",

  progress: "Ihr Arbeitsbereich entsteht",
  registration: "Registrierung",
  identity: "Konto",
  confirmation: "Adresse bestätigt",
  provisioning: "Ressourcen",
  routing: "Adresse des Arbeitsbereichs",
  activation: "Bereit",
  "step-waiting": "steht aus",
  "step-done": "erledigt",
  "step-failed": "fehlgeschlagen",
  "code-lead": "Wir haben Ihnen einen Code gesendet. Bestätigen Sie damit Ihre Adresse.",
  code: "Code",
  confirm: "Bestätigen",
  resend: "Neuen Code senden",
  retry: "Erneut versuchen",
  done: "Ihr Arbeitsbereich ist bereit. Angemeldet wird sich unter",
  "sign-in": "Anmelden",

  find: "Meine Arbeitsbereiche finden",
  "find-lead": "Sie haben einen Arbeitsbereich und kennen seine Adresse nicht? Jede Region sendet Ihnen ihre eigene Liste.",
  "find-button": "Listen zusenden",
  found: "Wenn zu dieser Adresse Arbeitsbereiche gehören, sind die Listen dorthin unterwegs.",

  "field-organisation": "Bitte geben Sie einen Namen von höchstens 200 Zeichen ein.",
  "field-name": "Bitte geben Sie einen Namen von höchstens 120 Zeichen ein.",
  "field-email": "Bitte geben Sie eine Adresse ein, unter der Sie länger erreichbar sind, etwa name@example.com.",
  "field-password": "Das Passwort entspricht nicht den Regeln.",
  "field-plan": "Bitte wählen Sie einen Tarif dieser Region.",
  "field-language": "Bitte wählen Sie eine Sprache.",
  "field-billing_anchor": "Bitte wählen Sie, wann Tage beginnen.",
  "field-terms": "Die Bedingungen haben sich geändert. Bitte stimmen Sie der jetzt gültigen Fassung zu.",
  "field-data_processing": "Die Vereinbarung hat sich geändert. Bitte stimmen Sie der jetzt gültigen Fassung zu.",

  "say-resent": "Ein neuer Code ist unterwegs.",
  "say-invalid-fields": "Bitte sehen Sie die markierten Felder durch.",
  "say-weak-password": "Das Passwort entspricht nicht den Regeln.",
  "say-region-closed": "Diese Region nimmt keine neuen Arbeitsbereiche mehr auf.",
  "say-account-refused": "Das Konto wurde abgelehnt. Bitte verwenden Sie eine andere E-Mail-Adresse.",
  "say-identity-unavailable": "Konten können gerade nicht angelegt werden. Ihre Eingaben sind gespeichert: Bitte senden Sie sie gleich noch einmal.",
  "say-try-again": "Gerade ist zu viel zu tun. Bitte versuchen Sie es gleich noch einmal.",
  "say-too-many-requests": "Zu viele Versuche. Bitte warten Sie einige Minuten.",
  "say-too-many-attempts": "Zu viele falsche Codes. Bitte warten Sie einige Minuten.",
  "say-wrong-code": "Der Code ist falsch. Bitte versuchen Sie es erneut.",
  "say-expired-code": "Der Code gilt nicht mehr. Bitte lassen Sie sich einen neuen senden.",
  "say-confirmation-refused": "Das Konto nimmt keine Bestätigung an. Bitte registrieren Sie sich noch einmal.",
  "say-repeat-sign-up": "Das Konto konnte nicht angelegt werden. Bitte senden Sie das Formular noch einmal.",
  "say-repeat-sign-up-with-other-password": "Das Passwort wurde abgelehnt. Bitte senden Sie das Formular noch einmal mit einem anderen.",
  "say-ended": "Diese Registrierung ist beendet. Bitte beginnen Sie neu.",
  "say-failed": "Ein Schritt ist fehlgeschlagen. Was bisher erledigt ist, bleibt erhalten.",
  "say-unreachable": "Es besteht keine Verbindung zur Region. Bitte versuchen Sie es erneut.",
  "say-internal": "Bei uns ist etwas schiefgegangen. Bitte versuchen Sie es erneut.",
};

const TEXTS = { en: EN, de: DE };

let language = "en";
/** What `GET /regions` answers, each with its form, its latency and its card. */
let regions = [];
let chosen = null;
/** The sign-up that is under way: its region and what the region last said of it. */
let underWay = null;
/** The key of the last form that was sent, and what it held: the same form once more has the same key. */
let sent = { body: null, key: null };
const notices = new Map();

const element = (id) => document.getElementById(id);
const text = (key) => TEXTS[language][key];

class Refusal extends Error {
  constructor(code, fields = []) {
    super(code);
    this.code = code;
    this.fields = fields;
  }
}

/** Sends a request, and reads the answer or the problem document. */
async function ask(url, options = {}) {
  let answer;
  try {
    answer = await fetch(url, { cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS), ...options });
  } catch {
    throw new Refusal("unreachable");
  }
  const said = await answer.json().catch(() => null);
  if (answer.ok) return said;
  const slug = /^\/problems\/([a-z-]+)$/.exec(said?.type ?? "")?.[1] ?? "internal";
  throw new Refusal(slug, (said?.fields ?? []).map(({ field }) => field));
}

function post(url, body, headers = {}) {
  return ask(url, {
    method: "POST",
    headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

// The regions.

async function listRegions() {
  try {
    ({ regions } = await ask("/regions"));
  } catch {
    setText(element("regions-status"), "no-regions");
    return;
  }
  element("regions-status").hidden = true;
  for (const region of regions) {
    region.latency = "measuring";
    region.card = makeCard(region);
    paint(region);
  }
  element("regions").replaceChildren(...regions.map(({ card }) => card));
  await Promise.all(regions.map(measure));
}

function makeCard(region) {
  const card = make("label", "card");
  const radio = make("input");
  radio.type = "radio";
  radio.name = "region";
  radio.value = region.code;
  radio.disabled = !region.accepts_new_tenants;
  radio.addEventListener("change", () => choose(region));
  const body = make("span", "card-body");
  const parts = ["name", "nearest", "facts", "mode", "state"].map((part) => make("span", part));
  body.append(...parts);
  card.append(radio, body);
  return card;
}

/** Writes what is known of a region into its card. */
function paint(region) {
  const part = (name) => region.card.querySelector(`.${name}`);
  const latency = typeof region.latency === "number" ? `${Math.round(region.latency)} ms` : text(region.latency);
  part("name").textContent = region.name;
  part("nearest").textContent = region === nearest() ? text("nearest") : "";
  part("facts").textContent = `${jurisdiction(region.jurisdiction)} · ${region.code} · ${latency}`;
  part("mode").textContent = text(region.mode);
  part("state").textContent = text(region.accepts_new_tenants ? "open" : "closed");
  region.card.classList.toggle("shut", !region.accepts_new_tenants);
}

/** How long the region takes to answer: the median of a few answers. */
async function measure(region) {
  const times = [];
  try {
    for (let count = 0; count < MEASUREMENTS; count += 1) {
      const began = performance.now();
      region.form = await ask(`${region.signup_url}/signup-form`);
      if (count > 0) times.push(performance.now() - began);
    }
    region.latency = times.sort((one, other) => one - other)[Math.floor(times.length / 2)];
  } catch {
    region.latency = "silent";
  }
  for (const each of regions) paint(each);
  if (region === chosen) fillForm();
}

/** The region that answers fastest, of those that take new tenants; none before all have been asked. */
function nearest() {
  if (regions.some(({ latency }) => latency === "measuring")) return null;
  const open = regions.filter(({ latency, accepts_new_tenants: takes }) => takes && typeof latency === "number");
  return open.sort((one, other) => one.latency - other.latency)[0] ?? null;
}

function jurisdiction(code) {
  if (code.length !== 2) return code.toUpperCase();
  return new Intl.DisplayNames([language], { type: "region" }).of(code.toUpperCase());
}

// The sign-up.

function choose(region) {
  chosen = region;
  say("sign-up-notice", null);
  element("sign-up").hidden = false;
  element("progress").hidden = true;
  fillForm();
}

/** Fills in what the chosen region asks for, as soon as it has said so. */
function fillForm() {
  element("chosen-region").textContent = chosen.name;
  const { form } = chosen;
  element("sign-up-form").querySelector("button").disabled = form === undefined;
  if (form === undefined) return;
  const before = element("plan").value;
  const options = form.plans.map((plan) => {
    const option = make("option");
    option.value = plan;
    option.textContent = plan.charAt(0).toUpperCase() + plan.slice(1);
    return option;
  });
  element("plan").replaceChildren(...options);
  if (form.plans.includes(before)) element("plan").value = before;
  fillVersions();
}

/** Days begin at midnight in UTC, or at that of the standard time here. */
function fillAnchors() {
  const year = new Date().getFullYear();
  const behind = Math.max(...[0, 6].map((month) => new Date(year, month).getTimezoneOffset()));
  const two = (number) => String(number).padStart(2, "0");
  const minutes = (behind + DAY_MIN) % DAY_MIN;
  const here = `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
  // Further away, midnight would be taken for that of the day before or after.
  const isNear = behind >= -DAY_MIN / 2 && behind < DAY_MIN / 2;
  const anchors = behind === 0 || !isNear ? ["00:00"] : ["00:00", here];
  const before = element("billing-anchor").value;
  const options = anchors.map((anchor) => {
    const option = make("option");
    option.value = anchor;
    option.textContent = text(anchor === "00:00" ? "midnight-utc" : "midnight-here").replace("{}", anchor);
    return option;
  });
  element("billing-anchor").replaceChildren(...options);
  if (anchors.includes(before)) element("billing-anchor").value = before;
}

function fillVersions() {
  const documents = chosen?.form?.documents;
  for (const [name, id] of [["terms", "terms"], ["data_processing", "data-processing"]]) {
    element(`${id}-version`).textContent = documents ? text("version").replace("{}", documents[name]) : "";
  }
}

async function signUp() {
  const field = (id) => element(id).value.trim();
  const region = chosen;
  const { documents } = region.form;
  const body = {
    region: region.code,
    organisation: field("organisation"),
    name: field("name"),
    email: field("email"),
    password: element("password").value,
    plan: field("plan"),
    language: field("language"),
    billing_anchor: field("billing-anchor"),
    terms: documents.terms,
    data_processing: documents.data_processing,
    ...(field("website") === "" ? {} : { website: field("website") }),
  };
  markFields([]);
  try {
    const operation = await post(`${region.signup_url}/signups`, body, { "idempotency-key": keyOf(body) });
    element("password").value = "";
    underWay = { region, operation };
    showProgress();
    element("progress-heading").focus();
  } catch (error) {
    if (error.code === "idempotency-key-reused") sent = { body: null, key: null };
    if (error.code === "weak-password") error.fields = ["password"];
    if (error.fields?.length) await askAnew(region, error.fields);
    throw error;
  }
}

/** The password may be another one when a sign-up is repeated; anything else makes another sign-up. */
function keyOf({ password, ...rest }) {
  const body = JSON.stringify(rest);
  if (sent.body !== body) sent = { body, key: crypto.randomUUID() };
  return sent.key;
}

/** Marks the fields that were refused; documents of another version have to be agreed to anew. */
async function askAnew(region, fields) {
  markFields(fields);
  if (!fields.includes("terms") && !fields.includes("data_processing")) return;
  region.form = await ask(`${region.signup_url}/signup-form`);
  for (const id of ["terms", "data-processing"]) element(id).checked = false;
  fillVersions();
}

function markFields(fields) {
  for (const problem of document.querySelectorAll("#sign-up-form .problem")) {
    const name = problem.id.replace("-problem", "");
    const wrong = fields.includes(name);
    setText(problem, wrong ? `field-${name}` : null);
    element(name.replace("_", "-")).setAttribute("aria-invalid", String(wrong));
  }
  if (fields.length > 0) element(fields[0].replace("_", "-"))?.focus();
}

// What becomes of it.

function showProgress() {
  const { region, operation } = underWay;
  const { next, state } = operation;
  const repeats = next.startsWith("repeat-sign-up");
  element("sign-up").hidden = !repeats;
  element("choice").hidden = true;
  element("progress").hidden = false;
  renderSteps();
  element("code-form").hidden = next !== "confirm";
  element("retry").hidden = next !== "retry-provisioning";
  element("done").hidden = next !== "sign-in";
  const isSettled = operation.steps.every((step) => step.state === "done");
  const address = isSettled && operation.address ? `${operation.address}/` : null;
  element("alias").textContent = address ?? operation.alias;
  element("sign-in").href = address ?? `${region.signup_url}/?${new URLSearchParams({ alias: operation.alias })}`;
  if (repeats) say("progress-notice", `say-${next}`);
  else if (state === "ended") say("progress-notice", "say-ended");
  else if (state === "failed") say("progress-notice", "say-failed");
  // A workspace that is ready may have to wait for its address.
  if (next === "wait" || (next === "sign-in" && !isSettled)) setTimeout(() => look(underWay), LOOK_EVERY_MS);
}

function renderSteps() {
  if (underWay === null) return;
  const items = underWay.operation.steps.map(({ name, state, reason }) => {
    const item = make("li", state);
    const [what, how] = [make("span", "step"), make("span", "step-state")];
    what.textContent = text(name) ?? name;
    how.textContent = reason ? `${text(`step-${state}`)}: ${reason}` : text(`step-${state}`);
    item.append(what, how);
    return item;
  });
  element("steps").replaceChildren(...items);
}

/** Asks how far the sign-up is. Without an answer it is asked again. */
async function look(looked) {
  if (looked !== underWay) return;
  try {
    await goOn(`${looked.operation.id}`, "GET");
  } catch {
    setTimeout(() => look(looked), LOOK_EVERY_MS);
  }
}

/** Sends something about the sign-up that is under way, and shows what the region then says of it. */
async function goOn(path, method, body) {
  const { region } = underWay;
  const url = `${region.signup_url}/signups/${path}`;
  const operation = method === "GET" ? await ask(url) : await post(url, body);
  underWay = { region, operation };
  showProgress();
}

async function confirm() {
  await goOn(`${underWay.operation.id}/confirmation`, "POST", { code: element("code").value.trim() });
  element("code").value = "";
  element("progress-heading").focus();
}

async function resend() {
  await goOn(`${underWay.operation.id}/resend`, "POST");
  say("progress-notice", "say-resent", "good");
}

// Workspaces that somebody has.

/** Every region is asked. What a region answers tells nothing of workspaces; that none takes the question is said. */
async function findWorkspaces() {
  const body = { email: element("find-email").value.trim(), language };
  const asked = await Promise.allSettled(regions.map(({ signup_url: url }) => post(`${url}/workspaces`, body)));
  if (asked.length === 0) return say("find-notice", "no-regions");
  if (!asked.some((answer) => answer.status === "fulfilled")) throw asked[0].reason;
  element("find-form").reset();
  say("find-notice", "found", "good");
}

// The document.

function make(tag, className = "") {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}

/** Gives an element a text that follows the language. */
function setText(target, key) {
  if (key === null) delete target.dataset.text;
  else target.dataset.text = key;
  target.textContent = key === null ? "" : text(key);
}

function say(id, key, tone = "bad") {
  notices.set(id, key);
  element(id).dataset.tone = tone;
  element(id).textContent = key === null ? "" : text(key) ?? text("say-internal");
}

/** Calls `work`, once at a time, and says what is wrong. */
async function during(source, notice, work) {
  if (source.getAttribute("aria-busy") === "true") return;
  source.setAttribute("aria-busy", "true");
  say(notice, null);
  try {
    await work();
  } catch (error) {
    say(notice, `say-${error.code}`);
  } finally {
    source.removeAttribute("aria-busy");
  }
}

function speak(wanted) {
  language = wanted in TEXTS ? wanted : "en";
  document.documentElement.lang = language;
  document.title = text("title");
  for (const each of document.querySelectorAll("[data-text]")) each.textContent = text(each.dataset.text);
  for (const each of document.querySelectorAll("[data-label]")) each.setAttribute("aria-label", text(each.dataset.label));
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  for (const region of regions) paint(region);
  for (const [id, key] of notices) say(id, key, element(id).dataset.tone);
  fillAnchors();
  fillVersions();
  renderSteps();
}

function listen() {
  const onSubmit = (id, notice, work) => {
    element(id).addEventListener("submit", (event) => {
      event.preventDefault();
      during(event.currentTarget, notice, work);
    });
  };
  onSubmit("sign-up-form", "sign-up-notice", signUp);
  onSubmit("code-form", "progress-notice", confirm);
  onSubmit("find-form", "find-notice", findWorkspaces);
  element("resend").addEventListener("click", ({ currentTarget }) => during(currentTarget, "progress-notice", resend));
  element("retry").addEventListener("click", ({ currentTarget }) => {
    during(currentTarget, "progress-notice", () => goOn(`${underWay.operation.id}/provisioning`, "POST"));
  });
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => speak(button.dataset.language));
  }
}

const spoken = navigator.languages.map((each) => each.slice(0, 2)).find((each) => each in TEXTS);
speak(spoken ?? "en");
element("language").value = language;
listen();
listRegions();
