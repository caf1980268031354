//! What a node says of why it refuses something (RFC 9457).

use serde::Deserialize;

/// How large such an answer may be.
const MOST_BYTES: usize = 64 << 10;
/// How much of it is told on: characters.
const MOST_TOLD: usize = 300;

#[derive(Deserialize)]
struct Problem {
    detail: Option<String>,
    title: Option<String>,
}

/// In the node's own words, as one line; nothing, if it said nothing that can be read.
pub(crate) async fn detail(mut response: reqwest::Response) -> Option<String> {
    let mut body = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        if body.len() + chunk.len() > MOST_BYTES {
            return None;
        }
        body.extend(chunk);
    }
    told(&String::from_utf8_lossy(&body))
}

/// What is worth telling of the body of a refusal.
pub(crate) fn told(body: &str) -> Option<String> {
    let problem: Option<Problem> = serde_json::from_str(body).ok();
    let said = match problem {
        Some(problem) => problem.detail.or(problem.title)?,
        None => body.to_owned(),
    };
    let words: Vec<&str> = said.split_whitespace().collect();
    let line: String = words.join(" ").chars().take(MOST_TOLD).collect();
    (!line.is_empty()).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_own_words_are_told_on_and_no_more_of_them_than_a_line() {
        let problem = r#"{"type":"about:blank","title":"Conflict","status":409,"detail":"choose another --id"}"#;
        assert_eq!(told(problem).as_deref(), Some("choose another --id"));
        assert_eq!(told(r#"{"title":"Conflict"}"#).as_deref(), Some("Conflict"));
        assert_eq!(told("Bad\n gateway").as_deref(), Some("Bad gateway"));
        assert_eq!(told(" \n"), None);
        let long = told(&"x".repeat(10_000));
        assert_eq!(long.map(|line| line.len()), Some(MOST_TOLD));
    }
}
