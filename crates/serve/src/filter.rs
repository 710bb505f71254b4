//! Filters of `$all`: by prefixes or a regular expression, over stream names or event types.

use crate::refusal::Refusal;
use crate::wire::{Expression, FilterBy, FilterOptions, Window};
use fancy_regex::{Regex, RegexBuilder};
use squareoff_store::StoredEvent;

/// KurrentDB's own window when none is given.
const WINDOW: u32 = 32;
/// Longer expressions and more prefixes than this nobody writes by hand.
const REGEX_BYTES_MAX: usize = 4_096;
const PREFIXES_MAX: usize = 1_024;
/// Steps back that one match may take, so that no expression keeps the server busy. (Clients exclude by look-ahead, which needs them.)
const BACKTRACK_MAX: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Filter {
    of: Of,
    by: By,
    /// A checkpoint each time this many events were looked at.
    pub(crate) checkpoint_every: u64,
}

#[derive(Debug, Clone, Copy)]
enum Of {
    Stream,
    EventType,
}

#[derive(Debug)]
enum By {
    Prefixes(Vec<String>),
    Regex(Box<Regex>),
}

impl Filter {
    pub(crate) fn new(options: FilterOptions) -> Result<Filter, Refusal> {
        let window = match options.window {
            Some(Window::Max(max)) if max > 0 => max,
            Some(Window::Count(())) => WINDOW,
            Some(Window::Max(_)) | None => return Err(bad("a filter needs a window")),
        };
        let (of, expression) = match options.by {
            Some(FilterBy::Stream(expression)) => (Of::Stream, expression),
            Some(FilterBy::EventType(expression)) => (Of::EventType, expression),
            None => return Err(bad("a filter needs streams or event types")),
        };
        Ok(Filter {
            of,
            by: by(expression)?,
            checkpoint_every: u64::from(window)
                * u64::from(options.checkpoint_interval_multiplier.max(1)),
        })
    }

    /// Whether the event passes.
    ///
    /// # Errors
    /// [`Refusal::Bad`] when the expression takes too many steps on it.
    pub(crate) fn passes(&self, event: &StoredEvent) -> Result<bool, Refusal> {
        let text = match self.of {
            Of::Stream => &*event.stream,
            Of::EventType => &*event.event_type,
        };
        match &self.by {
            By::Prefixes(prefixes) => Ok(prefixes
                .iter()
                .any(|prefix| text.starts_with(prefix.as_str()))),
            By::Regex(regex) => regex
                .is_match(text)
                .map_err(|error| bad(&format!("the filter's expression failed: {error}"))),
        }
    }
}

fn by(expression: Expression) -> Result<By, Refusal> {
    if expression.regex.is_empty() {
        if expression.prefix.is_empty() || expression.prefix.len() > PREFIXES_MAX {
            return Err(bad("a filter needs an expression or 1 to 1,024 prefixes"));
        }
        return Ok(By::Prefixes(expression.prefix));
    }
    if expression.regex.len() > REGEX_BYTES_MAX {
        return Err(bad("the filter's expression is too long"));
    }
    RegexBuilder::new(&expression.regex)
        .backtrack_limit(BACKTRACK_MAX)
        .build()
        .map(|regex| By::Regex(Box::new(regex)))
        .map_err(|error| bad(&format!("the filter's expression is none: {error}")))
}

fn bad(reason: &str) -> Refusal {
    Refusal::Bad {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(by: FilterBy) -> Result<Filter, Refusal> {
        Filter::new(FilterOptions {
            by: Some(by),
            window: Some(Window::Max(10)),
            checkpoint_interval_multiplier: 3,
        })
    }

    fn regex(text: &str) -> Expression {
        Expression {
            regex: text.to_owned(),
            prefix: Vec::new(),
        }
    }

    #[test]
    fn an_expression_that_is_none_or_never_ends_is_refused() {
        assert!(filter(FilterBy::Stream(regex("("))).is_err());
        assert!(filter(FilterBy::Stream(regex(&"a".repeat(5_000)))).is_err());
        assert!(filter(FilterBy::Stream(Expression::default())).is_err());
        assert!(Filter::new(FilterOptions::default()).is_err());
        // A look-behind defeats the linear engine; nested repeats then double the steps with each letter.
        let slow = filter(FilterBy::EventType(regex("(?:(?<=a)a|a+)+$(?!b)"))).unwrap();
        let event = squareoff_store::StoredEvent {
            event_type: format!("{}b", "a".repeat(64)).into(),
            ..crate::propose::sample()
        };
        assert!(slow.passes(&event).is_err());
    }

    #[test]
    fn a_checkpoint_comes_each_window_times_its_multiplier() {
        let prefix = Expression {
            regex: String::new(),
            prefix: vec!["position-".to_owned()],
        };
        let filter = filter(FilterBy::Stream(prefix)).unwrap();
        assert_eq!(filter.checkpoint_every, 30);
    }
}
