//! Numbers as an Indian officer reads them: `12,34,567.50`.

/// Grouped by thousand, lakh and crore.
pub fn grouped(number: i128) -> String {
    let digits = number.unsigned_abs().to_string();
    let (head, last) = digits.split_at(digits.len().saturating_sub(3));
    let mut text = String::new();
    if number < 0 {
        text.push('-');
    }
    for (place, digit) in head.chars().enumerate() {
        if place > 0 && (head.len() - place).is_multiple_of(2) {
            text.push(',');
        }
        text.push(digit);
    }
    if !head.is_empty() {
        text.push(',');
    }
    text.push_str(last);
    text
}

/// 1/10,000 rupee as rupees, with two to four decimals.
pub fn rupees(amount: i128) -> String {
    let (whole, fraction) = (amount / 10_000, (amount % 10_000).unsigned_abs());
    let sign = if amount < 0 && whole == 0 { "-" } else { "" };
    let text = format!("{sign}{}.{fraction:04}", grouped(whole));
    let two = text.len() - 2;
    let trimmed = text.trim_end_matches('0').len().max(two);
    text[..trimmed].to_owned()
}

/// The same for programs: no groups.
pub fn plain(amount: i128) -> String {
    rupees(amount).replace(',', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rupees_are_grouped_by_thousand_lakh_and_crore() {
        for (amount, text) in [
            (0, "0.00"),
            (1, "0.0001"),
            (25, "0.0025"),
            (-5_000, "-0.50"),
            (10_000, "1.00"),
            (999_990_000, "99,999.00"),
            (12_345_675_000, "12,34,567.50"),
            (-1_234_567_890_000, "-12,34,56,789.00"),
            (1_000_000_000, "1,00,000.00"),
        ] {
            assert_eq!(rupees(amount), text);
        }
        assert_eq!(plain(12_345_675_000), "1234567.50");
        assert_eq!(
            (grouped(999), grouped(1_000), grouped(-100_000)),
            ("999".into(), "1,000".into(), "-1,00,000".into())
        );
    }
}
