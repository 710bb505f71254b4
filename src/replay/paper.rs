//! Text on a terminal: as wide as it is, coloured where that is wanted, and never what a stored text would make of it.
//!
//! 1. No line is wider than the terminal, short of one narrower than [`WIDTH_MIN`]. Where there is none, nothing is broken.
//! 2. A control character of a stored text is printed as its number: a message of the outside moves no cursor and hides no line.

use super::zone::Zone;
use unicode_width::UnicodeWidthStr;

/// Narrower than this nothing can be read; lines are laid out for it all the same.
pub const WIDTH_MIN: usize = 32;

/// How lines are to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paper {
    /// Columns; `None` for a file or a program, which get whole lines.
    pub width: Option<usize>,
    pub colour: bool,
    pub zone: Zone,
}

/// What a part of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    Plain,
    Heading,
    /// A label or a number that is there when it is looked for.
    Faint,
    Ask,
    Fact,
    Refusal,
}

impl Ink {
    const fn code(self) -> &'static str {
        match self {
            Ink::Plain => "",
            Ink::Heading => "\x1b[1m",
            Ink::Faint => "\x1b[2m",
            Ink::Ask => "\x1b[36m",
            Ink::Fact => "\x1b[32m",
            Ink::Refusal => "\x1b[31m",
        }
    }
}

impl Paper {
    pub fn ink(&self, ink: Ink, text: &str) -> String {
        if self.colour && ink != Ink::Plain && !text.is_empty() {
            format!("{}{text}\x1b[0m", ink.code())
        } else {
            text.to_owned()
        }
    }

    /// Columns that are left behind `used` ones; without a terminal as many as are wanted.
    pub fn room(&self, used: usize) -> usize {
        self.width.map_or(usize::MAX, |width| {
            width.max(WIDTH_MIN).saturating_sub(used).max(8)
        })
    }

    /// Parts beside each other, two spaces between them, broken between parts where the line is full; behind a break `indent` columns
    /// are left free. A part that is too long for a line of its own is broken inside.
    pub fn line(&self, indent: usize, parts: &[(Ink, String)]) -> String {
        let room = self.room(0);
        let (mut text, mut used) = (String::new(), 0);
        for (ink, part) in parts.iter().filter(|(_, part)| !part.is_empty()) {
            let part = printable(part);
            let gap = if used == 0 || used == indent { 0 } else { 2 };
            let wide = part.width();
            if used + gap + wide <= room {
                text.push_str(&" ".repeat(gap));
                text.push_str(&self.ink(*ink, &part));
                used += gap + wide;
                continue;
            }
            for (place, line) in broken(&[part], self.room(indent)).iter().enumerate() {
                if place > 0 || used > 0 {
                    text = text.trim_end().to_owned();
                    text.push('\n');
                }
                text.push_str(&" ".repeat(indent));
                text.push_str(&self.ink(*ink, line));
                used = indent + line.width();
            }
        }
        text
    }

    /// `parts` as running text behind `label`, all of it moved in by `indent`; empty for no parts.
    pub fn paragraph(&self, indent: usize, label: &str, parts: &[String]) -> String {
        let parts: Vec<_> = parts.iter().map(|part| printable(part)).collect();
        let used = indent + label.width();
        let mut text = String::new();
        for (place, line) in broken(&parts, self.room(used)).iter().enumerate() {
            let head = if place == 0 {
                self.ink(Ink::Faint, label)
            } else {
                " ".repeat(label.width())
            };
            text.push_str(format!("{}{head}{line}", " ".repeat(indent)).trim_end());
            text.push('\n');
        }
        text
    }
}

/// `parts` in lines of at most `room` columns: broken between parts where that is enough, then between words, then anywhere.
pub fn broken(parts: &[String], room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for part in parts {
        let whole = part.width() <= room;
        let words: Vec<&str> = if whole {
            vec![part]
        } else {
            part.split(' ').collect()
        };
        for word in words {
            let wide = word.width();
            match lines.last_mut() {
                Some(line) if used + 1 + wide <= room => {
                    line.push(' ');
                    line.push_str(word);
                    used += 1 + wide;
                }
                Some(_) | None => {
                    for piece in pieces(word, room) {
                        used = piece.width();
                        lines.push(piece);
                    }
                }
            }
        }
    }
    lines
}

/// A word in pieces that fit.
fn pieces(word: &str, room: usize) -> Vec<String> {
    if word.width() <= room {
        return vec![word.to_owned()];
    }
    let mut pieces = vec![String::new()];
    let mut used = 0;
    for letter in word.chars() {
        let wide = unicode_width::UnicodeWidthChar::width(letter).unwrap_or(0);
        if used + wide > room {
            pieces.push(String::new());
            used = 0;
        }
        used += wide;
        if let Some(piece) = pieces.last_mut() {
            piece.push(letter);
        }
    }
    pieces
}

/// Without control characters, and without those that turn the direction of a line.
pub fn printable(text: &str) -> String {
    let unsafe_letter = |letter: char| {
        letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !text.contains(unsafe_letter) {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len());
    for letter in text.chars() {
        if unsafe_letter(letter) {
            clean.extend(letter.escape_unicode());
        } else {
            clean.push(letter);
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn paper(width: usize) -> Paper {
        Paper {
            width: Some(width),
            colour: false,
            zone: Zone::IST,
        }
    }

    fn widest(text: &str) -> usize {
        text.lines().map(UnicodeWidthStr::width).max().unwrap_or(0)
    }

    #[test]
    fn a_paragraph_is_broken_between_parts_then_words_then_anywhere() {
        let parts = ["net 500 → 450,".to_owned(), "closable 500 → 450".to_owned()];
        let text = paper(32).paragraph(4, "changed  ", &parts);
        assert_eq!(
            text,
            "    changed  net 500 → 450,\n             closable 500 → 450\n"
        );
        let long = [format!("x {}", "y".repeat(40))];
        assert_eq!(widest(&paper(32).paragraph(2, "", &long)), 32);
    }

    #[test]
    fn what_a_stored_text_would_do_to_a_terminal_is_printed_instead() {
        assert_eq!(
            printable("a\u{1b}[2Jb\nc\u{202e}d"),
            "a\\u{1b}[2Jb\\u{a}c\\u{202e}d"
        );
        assert_eq!(printable("ठीक है"), "ठीक है");
    }

    #[test]
    fn colours_are_there_only_when_they_are_wanted() {
        let parts = [
            (Ink::Heading, "platform".to_owned()),
            (Ink::Plain, "v1".to_owned()),
        ];
        assert_eq!(paper(80).line(2, &parts), "platform  v1");
        let coloured = Paper {
            colour: true,
            ..paper(80)
        };
        assert_eq!(coloured.line(2, &parts), "\x1b[1mplatform\x1b[0m  v1");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(
            width in WIDTH_MIN..140_usize, indent in 0..8_usize, parts in prop::collection::vec("[a-zé漢 ]{0,60}", 0..6)
        ) {
            let inked: Vec<_> = parts.iter().map(|part| (Ink::Plain, part.clone())).collect();
            prop_assert!(widest(&paper(width).line(indent, &inked)) <= width);
            prop_assert!(widest(&paper(width).paragraph(indent, "why      ", &parts)) <= width);
        }
    }
}
