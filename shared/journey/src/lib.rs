//! The attribute by which an end-to-end journey registers itself.
//!
//! It adds a `crate::harness::Journey` to the collection of `inventory`, and leaves the function as
//! it is.
//!
//! | attribute | the journey runs |
//! |---|---|
//! | `#[journey]` | beside others, with tenants of its own |
//! | `#[journey(alone = "why", first)]` | alone, right after those that run side by side |
//! | `#[journey(alone = "why", region = "code")]` | alone in a region, beside those of other regions |
//! | `#[journey(alone = "why")]` | alone, after those |
//! | `#[journey(alone = "why", last)]` | alone, after those |
//! | `#[journey(alone = "why", after)]` | alone, after all others |

use proc_macro::{TokenStream, TokenTree};

/// Registers an `async fn(&Stack) -> Result<()>` as a journey under its own name.
#[proc_macro_attribute]
pub fn journey(attribute: TokenStream, function: TokenStream) -> TokenStream {
    let registered = match (turn(attribute), name(&function)) {
        (Ok(turn), Some(name)) => format!(
            "::inventory::submit! {{ crate::harness::Journey {{
                name: {name:?},
                turn: crate::harness::Turn::{turn},
                play: |stack| ::std::boxed::Box::pin({name}(stack)),
            }} }}"
        ),
        (Err(refusal), _) => format!("::core::compile_error! {{ {refusal:?} }}"),
        (_, None) => "::core::compile_error! { \"a journey is a function\" }".to_owned(),
    };
    // What was just written lexes; were it ever not to, a journey without a registration is unused
    // code, of which the compiler warns.
    let registered: TokenStream = registered.parse().unwrap_or_default();
    function.into_iter().chain(registered).collect()
}

/// When a journey runs: a value of `crate::harness::Turn`.
fn turn(attribute: TokenStream) -> Result<String, &'static str> {
    let words: Vec<String> = attribute.into_iter().map(|word| word.to_string()).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_text = |word: &str| word.starts_with('"') && word.len() > 2;
    match words[..] {
        [] => Ok("Together".to_owned()),
        ["alone", "=", why, ..] if !is_text(why) => Err("`alone` says why, as a text"),
        ["alone", "=", _] => Ok("Alone".to_owned()),
        ["alone", "=", _, ",", "first"] => Ok("First".to_owned()),
        ["alone", "=", _, ",", "last"] => Ok("Last".to_owned()),
        ["alone", "=", _, ",", "after"] => Ok("After".to_owned()),
        ["alone", "=", _, ",", "region", "=", region] if is_text(region) => {
            Ok(format!("Apart({region})"))
        }
        _ => Err(
            "a journey takes `alone = \"why\"`, then `region = \"code\"`, `first`, `last` or `after`",
        ),
    }
}

/// The name of a function: what follows its `fn`.
fn name(function: &TokenStream) -> Option<String> {
    let is_fn =
        |token: &TokenTree| matches!(token, TokenTree::Ident(word) if word.to_string() == "fn");
    let mut tokens = function
        .clone()
        .into_iter()
        .skip_while(|token| !is_fn(token));
    tokens.nth(1).map(|name| name.to_string())
}
