//! Text into HTML: nothing of it is taken for markup, but for code between backticks.

pub fn escaped(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            letter => html.push(letter),
        }
    }
    html
}

/// One line; what stands between backticks is code.
pub fn inline(text: &str) -> String {
    let mut html = String::new();
    for (number, part) in text.split('`').enumerate() {
        if number % 2 == 1 {
            html.push_str("<code>");
            html.push_str(&escaped(part));
            html.push_str("</code>");
        } else {
            html.push_str(&escaped(part));
        }
    }
    html
}

/// Paragraphs, with an empty line between them.
pub fn paragraphs(text: &str) -> String {
    let paragraphs = text
        .split("\n\n")
        .filter(|paragraph| !paragraph.trim().is_empty());
    paragraphs
        .map(|paragraph| format!("<p>{}</p>", inline(paragraph.trim())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup_but_for_code() {
        for (text, html) in [
            ("a < b && c", "a &lt; b &amp;&amp; c"),
            ("see `M&M`", "see <code>M&amp;M</code>"),
            ("<script>\"'", "&lt;script&gt;&quot;&#39;"),
        ] {
            assert_eq!(inline(text), html);
        }
        assert_eq!(paragraphs("a\n\nb"), "<p>a</p><p>b</p>");
    }
}
