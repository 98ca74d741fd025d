//! Spans of time as texts: exact, so that a lifetime is never longer than it was said.

use std::time::Duration;

/// Seconds, with nine places after the point.
#[must_use]
pub fn seconds(span: Duration) -> String {
    format!("{}.{:09}", span.as_secs(), span.subsec_nanos())
}

/// The span that a text in seconds says.
#[must_use]
pub fn span(text: &str) -> Option<Duration> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(part) || part.len() > 9 {
        return None;
    }
    let nanos: u32 = format!("{part:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanos))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_to_the_nanosecond() {
        for nanos in [0, 1, 999_999_999, 1_000_000_000, 1_500_000_001, u64::MAX] {
            let exact = Duration::from_nanos(nanos);
            assert_eq!(span(&seconds(exact)), Some(exact));
        }
        assert_eq!(span("2"), Some(Duration::from_secs(2)));
        assert_eq!(span("0.25"), Some(Duration::from_millis(250)));
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1.0000000001",
            "99999999999999999999",
        ] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
