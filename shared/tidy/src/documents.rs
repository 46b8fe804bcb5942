//! The documents as tests read them: pages, links, names in code, and the commands in blocks of
//! `sh`.

use anyhow::{Context, Result};
use fancy_regex::Regex;
use std::fs;
use std::path::Path;

/// A page: the README, or one below `docs`.
#[derive(Debug)]
pub struct Page {
    /// Relative to the root of the checkout, with `/`.
    pub path: String,
    text: String,
}

/// A command of a page, without the variables that are set before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Where it stands: page and line.
    pub place: String,
    /// The program and its arguments, as a shell splits them.
    pub words: Vec<String>,
    /// Whether it stands in a sentence, and not in a block.
    pub is_prose: bool,
}

/// Reads every page of a checkout.
///
/// # Errors
/// When a page cannot be read.
pub fn pages(root: &Path) -> Result<Vec<Page>> {
    let mut paths = vec!["README.md".to_owned()];
    let mut folders = vec!["docs".to_owned()];
    while let Some(folder) = folders.pop() {
        let listed = fs::read_dir(root.join(&folder)).with_context(|| folder.clone())?;
        for entry in listed {
            let entry = entry?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.ends_with(".md") {
                paths.push(path);
            }
        }
    }
    paths.sort();
    let read = |path: String| {
        let text = fs::read_to_string(root.join(&path)).with_context(|| path.clone())?;
        Ok(Page { path, text })
    };
    paths.into_iter().map(read).collect()
}

/// What a line of a page is part of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'p> {
    Prose,
    /// A block of code, in a language.
    Block(&'p str),
    /// Where a block begins or ends.
    Fence,
}

impl Page {
    /// A page for tests.
    #[must_use]
    pub fn of(path: &str, text: &str) -> Self {
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// Every line with its number and what it is part of.
    fn lines(&self) -> impl Iterator<Item = (usize, Part<'_>, &str)> {
        let mut block = None;
        self.text.lines().enumerate().map(move |(index, line)| {
            let part = match (line.trim_start().strip_prefix("```"), block) {
                (Some(language), None) => {
                    block = Some(language.trim());
                    Part::Fence
                }
                (Some(_), Some(_)) => {
                    block = None;
                    Part::Fence
                }
                (None, Some(language)) => Part::Block(language),
                (None, None) => Part::Prose,
            };
            (index + 1, part, line)
        })
    }

    /// The lines outside of blocks of code, with their numbers.
    pub fn prose(&self) -> impl Iterator<Item = (usize, &str)> {
        self.lines()
            .filter(|(_, part, _)| *part == Part::Prose)
            .map(|(number, _, line)| (number, line))
    }

    /// The names of the headings as links lead to them, as GitHub makes them.
    #[must_use]
    pub fn anchors(&self) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut bare: Vec<String> = Vec::new();
        for (_, line) in self.prose() {
            let Some(title) = line
                .strip_prefix('#')
                .map(|rest| rest.trim_start_matches('#'))
            else {
                continue;
            };
            let kept = |c: char| match c {
                ' ' => Some('-'),
                '-' | '_' => Some(c),
                c if c.is_alphanumeric() => Some(c),
                _ => None,
            };
            let name: String = title
                .trim()
                .to_lowercase()
                .chars()
                .filter_map(kept)
                .collect();
            let before = bare.iter().filter(|other| **other == name).count();
            bare.push(name.clone());
            found.push(if before == 0 {
                name
            } else {
                format!("{name}-{before}")
            });
        }
        found
    }

    /// Every link, with its line: the text and where it leads. A link can go on in the next line.
    ///
    /// # Errors
    /// Never but for a bug of the pattern.
    pub fn links(&self) -> Result<Vec<(usize, String, String)>> {
        let link = Regex::new(r"\[((?:[^\[\]`]|`[^`]*`)*)\]\(([^()\s]+)\)")?;
        let prose: Vec<&str> = self
            .lines()
            .map(|(_, part, line)| if part == Part::Prose { line } else { "" })
            .collect();
        let prose = prose.join("\n");
        let mut found = Vec::new();
        for captured in link.captures_iter(&prose) {
            let captured = captured?;
            let begin = captured.get(0).map_or(0, |all| all.start());
            let number = prose[..begin].matches('\n').count() + 1;
            let group = |at| captured.get(at).map_or("", |group| group.as_str());
            found.push((number, group(1).to_owned(), group(2).to_owned()));
        }
        Ok(found)
    }

    /// Every piece of code within prose, with its line.
    #[must_use]
    pub fn code(&self) -> Vec<(usize, &str)> {
        let mut found = Vec::new();
        for (number, line) in self.prose() {
            let inside = line.split('`').skip(1).step_by(2);
            found.extend(inside.map(|code| (number, code)));
        }
        found
    }

    /// The blocks of a language, as they are.
    #[must_use]
    pub fn blocks(&self, language: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        let mut is_open = false;
        for (_, part, line) in self.lines() {
            match part {
                Part::Block(of) if of == language => {
                    if !is_open {
                        found.push(String::new());
                    }
                    is_open = true;
                    if let Some(block) = found.last_mut() {
                        block.push_str(line);
                        block.push('\n');
                    }
                }
                _ => is_open = false,
            }
        }
        found
    }

    /// Every command in a block of `sh`, and every one in prose that begins with `cargo` or
    /// `meridian`.
    ///
    /// # Errors
    /// When a block ends within quotes.
    pub fn commands(&self) -> Result<Vec<Command>> {
        let mut found = Vec::new();
        let (mut pending, mut begins) = (String::new(), 0);
        for (number, part, line) in self.lines() {
            match part {
                Part::Block("sh") => {
                    if pending.is_empty() {
                        begins = number;
                    }
                    if let Some(continued) = line.strip_suffix('\\') {
                        pending += continued;
                        continue;
                    }
                    pending += line;
                    pending.push('\n');
                    // Without a closing quote, the command goes on in the next line.
                    if let Some(words) = shlex::split(&pending) {
                        found.extend(self.simple(begins, words, false));
                        pending.clear();
                    }
                }
                _ if !pending.is_empty() => {
                    anyhow::bail!("{}:{begins}: no end of a quoted text", self.path)
                }
                _ => {}
            }
        }
        for (number, code) in self.code() {
            if let Some(words) = shlex::split(code) {
                let commands = self.simple(number, words, true).into_iter();
                found.extend(commands.filter(|command| {
                    command.words.len() > 1
                        && ["cargo", "meridian"].contains(&command.words[0].as_str())
                }));
            }
        }
        Ok(found)
    }

    /// The simple commands of a line.
    fn simple(&self, number: usize, words: Vec<String>, is_prose: bool) -> Vec<Command> {
        let operators = ["|", "||", "&&", ";", "&", ">", "2>&1", "<", "done", "do"];
        let place = format!("{}:{number}", self.path);
        words
            .split(|word| operators.contains(&word.as_str()))
            .map(|words| {
                let is_assignment = |word: &&String| {
                    word.split_once('=').is_some_and(|(name, _)| {
                        name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
                    })
                };
                let words = words.iter().skip_while(is_assignment);
                Command {
                    place: place.clone(),
                    is_prose,
                    words: words
                        .map(|word| word.trim_end_matches(';').to_owned())
                        .collect(),
                }
            })
            .filter(|command| !command.words.is_empty())
            .collect()
    }
}

impl Command {
    /// The arguments of `meridian`, where the command is one, by name or by `cargo run`.
    #[must_use]
    pub fn of_meridian(&self) -> Option<&[String]> {
        let words: Vec<&str> = self.words.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["meridian", ..] => Some(&self.words[1..]),
            ["cargo", "run", "--", ..] => Some(&self.words[3..]),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, Page};

    fn page(text: &str) -> Page {
        Page::of("a.md", text)
    }

    #[test]
    fn commands_are_found_in_blocks_and_in_prose() -> anyhow::Result<()> {
        let text = "Run `cargo test -p kernel`, not `cargo`.\n\n```sh\nA=1 cargo run -- local \\\n    up  # why\n\
                    curl -d '{\n \"a\": 1 }' x | jq .\n```\n\n```json\ncargo\n```\n";
        let found = page(text).commands()?;
        let words: Vec<String> = found
            .iter()
            .map(|command| command.words.join(" "))
            .collect();
        let expected = [
            "cargo run -- local up",
            "curl -d {\n \"a\": 1 } x",
            "jq .",
            "cargo test -p kernel",
        ];
        assert_eq!(words, expected);
        assert_eq!(found[0].place, "a.md:4");
        assert_eq!(found[0].of_meridian().map(<[String]>::len), Some(2));
        assert_eq!(found.iter().filter_map(Command::of_meridian).count(), 1);
        assert_eq!(page(text).blocks("json"), ["cargo\n"]);
        Ok(())
    }

    #[test]
    fn an_open_quote_is_noticed() {
        assert!(page("```sh\necho 'a\n```\n").commands().is_err());
    }

    #[test]
    fn anchors_are_those_of_github() {
        let found =
            page("# What `a.b` is, in short\n## Twice\n```sh\n# no heading\n```\n## Twice\n")
                .anchors();
        assert_eq!(found, ["what-ab-is-in-short", "twice", "twice-1"]);
    }

    #[test]
    fn links_have_their_text_and_target() -> anyhow::Result<()> {
        let found = page("See [`a::b`](../x.rs) and ![a\npicture](i.png), [c](d.md#e).").links()?;
        let targets: Vec<&str> = found.iter().map(|(_, _, target)| target.as_str()).collect();
        assert_eq!(targets, ["../x.rs", "i.png", "d.md#e"]);
        assert_eq!(found[0].1, "`a::b`");
        Ok(())
    }
}
