// The document: which view is shown, in which language, and what is said about it.

import { LANGUAGES, TEXTS } from "./texts.js";

/** What is in the HTML file; the only module that writes to it. */
export class Page {
  #language = LANGUAGES[0];
  #said = null;
  #whenSpoken = () => {};

  constructor(document) {
    this.document = document;
    for (const button of document.querySelectorAll("[data-language]")) {
      button.addEventListener("click", () => this.speak(button.dataset.language));
    }
  }

  get language() {
    return this.#language;
  }

  /** Has `render` called whenever the language changes, for what is not in the HTML file. */
  whenSpoken(render) {
    this.#whenSpoken = render;
  }

  /** Shows everything in a language. */
  speak(language) {
    this.#language = LANGUAGES.includes(language) ? language : LANGUAGES[0];
    this.document.documentElement.lang = this.#language;
    for (const element of this.document.querySelectorAll("[data-text]")) {
      element.textContent = this.text(element.dataset.text);
    }
    for (const element of this.document.querySelectorAll("[data-label]")) {
      element.setAttribute("aria-label", this.text(element.dataset.label));
    }
    for (const button of this.document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === this.#language));
    }
    this.#retitle();
    this.#render();
    this.#whenSpoken();
  }

  /** A text in the language of the page. */
  text(key) {
    return TEXTS[this.#language][key];
  }

  /** An element by its id. */
  element(id) {
    return this.document.getElementById(id);
  }

  /** Shows one view and hides the others; its first field, or its heading, gets the focus. */
  show(id) {
    for (const view of this.document.querySelectorAll(".view")) view.hidden = view.id !== id;
    const view = this.element(id);
    (view.querySelector("input:not([type=hidden])") ?? view.querySelector("h1"))?.focus();
    this.#retitle();
  }

  /** Says something about what was done; nothing where there is nothing to say. */
  say(code, tone = "problem") {
    this.#said = code === null ? null : { code: this.text(code) ? code : "say-refused", tone };
    this.#render();
  }

  /** Calls `work` with the form's fields when it is sent, and says what is wrong. */
  onSubmit(id, work) {
    const form = this.element(id);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (form.getAttribute("aria-busy") === "true") return;
      await this.#during(form, () => work(Object.fromEntries(new FormData(form))));
    });
  }

  /** Calls `work` when a button is pressed, and says what is wrong. */
  onClick(id, work) {
    const button = this.element(id);
    button.addEventListener("click", () => this.#during(button, work));
  }

  async #during(element, work) {
    element.setAttribute("aria-busy", "true");
    this.say(null);
    try {
      await work();
    } catch (error) {
      this.say(`say-${error.code}`);
    } finally {
      element.removeAttribute("aria-busy");
    }
  }

  #render() {
    const notice = this.element("notice");
    notice.className = this.#said?.tone ?? "";
    notice.textContent = this.#said === null ? "" : this.text(this.#said.code);
  }

  #retitle() {
    const heading = this.document.querySelector(".view:not([hidden]) h1");
    this.document.title = heading?.textContent ?? this.text("title");
  }
}
