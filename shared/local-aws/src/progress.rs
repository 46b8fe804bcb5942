//! Shows the steps of a command and how long each took.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Where progress is shown: a terminal, or nowhere.
#[derive(Debug, Clone)]
pub struct Progress(Option<MultiProgress>);

impl Progress {
    /// Shows progress on the terminal (standard error): one line per step, with its duration at the
    /// end.
    pub fn terminal() -> Self {
        Self(Some(MultiProgress::new()))
    }

    /// Shows nothing.
    pub const fn silent() -> Self {
        Self(None)
    }

    /// Begins a step.
    pub fn step(&self, name: impl Into<String>) -> Step {
        let name = name.into();
        let bar = self.0.as_ref().map_or_else(ProgressBar::hidden, |all| {
            let bar = all.add(ProgressBar::new_spinner());
            let style = ProgressStyle::with_template("{spinner:.cyan} {prefix} {wide_msg:.dim}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(name.clone());
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Step {
            all: self.0.clone(),
            bar,
            name,
            began: Instant::now(),
        }
    }

    /// Begins a step whose length is known.
    pub fn bar(&self, name: impl Into<String>, length: u64) -> Step {
        let step = self.step(name);
        let style = ProgressStyle::with_template(
            "{spinner:.cyan} {prefix} [{bar:40.cyan}] {human_pos}/{human_len} {per_sec:.dim}",
        );
        step.bar
            .set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        step.bar.set_length(length);
        step
    }

    /// Prints a line above the running steps.
    pub fn line(&self, text: &str) {
        if let Some(all) = &self.0 {
            print(all, text);
        }
    }
}

/// A running step.
#[derive(Debug)]
pub struct Step {
    all: Option<MultiProgress>,
    bar: ProgressBar,
    name: String,
    began: Instant,
}

impl Step {
    /// Shows the current activity of the step.
    pub fn at(&self, what: impl Into<String>) {
        self.bar.set_message(what.into());
    }

    /// Advances the bar.
    pub fn advance(&self, by: u64) {
        self.bar.inc(by);
    }

    /// Ends the step and prints its result and duration.
    pub fn done(self, result: impl AsRef<str>) {
        self.bar.finish_and_clear();
        if let Some(all) = &self.all {
            let seconds = self.began.elapsed().as_secs_f32();
            let line = format!("{:<28} {seconds:>6.1} s  {}", self.name, result.as_ref());
            print(all, line.trim_end());
        }
    }
}

/// Prints above the bars on a terminal. indicatif hides both without one, so then it is a plain
/// line.
#[expect(clippy::print_stderr, reason = "progress goes to standard error")]
fn print(all: &MultiProgress, line: &str) {
    if all.is_hidden() {
        eprintln!("{line}");
    } else {
        all.println(line).ok();
    }
}
