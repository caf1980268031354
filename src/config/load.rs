//! Reads the file and lays the `SPILLWAY_*` variables over it.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, ConfigError};

const PREFIX: &str = "SPILLWAY_";

impl Config {
    /// The file (the defaults without one), with variables over it: `SPILLWAY_LIMITS_VIEWERS` is `viewers` of
    /// `[limits]`, lists are separated by commas. Variables that name no key are left alone: Kubernetes makes
    /// `SPILLWAY_PORT` and the like by itself for a service of this name.
    pub fn load(
        path: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = match path {
            None => Self::default(),
            Some(path) => {
                let text =
                    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable {
                        path: path.to_owned(),
                        source,
                    })?;
                Self::parse(path, &text)?
            }
        };
        for (variable, value) in variables {
            config.lay_over(&variable, &value)?;
        }
        Ok(config)
    }

    /// The configuration that a file's text says. `path` is for messages only.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| malformed(path.to_owned(), text, &error))
    }

    fn lay_over(&mut self, variable: &str, value: &str) -> Result<(), ConfigError> {
        let wrong = |message: String| ConfigError::Variable {
            variable: variable.to_owned(),
            message,
        };
        let Some(name) = variable.strip_prefix(PREFIX) else {
            return Ok(());
        };
        let mut table = Table::try_from(&*self).map_err(|error| wrong(error.to_string()))?;
        let Some(present) = find_key(&mut table, name) else {
            return Ok(());
        };
        *present = read_value(present, value).map_err(wrong)?;
        *self = Self::deserialize(table).map_err(|error| wrong(error.message().to_owned()))?;
        Ok(())
    }
}

/// The value whose path, joined with `_` and in capitals, is `name`.
fn find_key<'a>(table: &'a mut Table, name: &str) -> Option<&'a mut Value> {
    table.iter_mut().find_map(|(key, value)| {
        let rest = name.strip_prefix(&key.to_ascii_uppercase())?;
        match value {
            Value::Table(section) => find_key(section, rest.strip_prefix('_')?),
            value => rest.is_empty().then_some(value),
        }
    })
}

/// Reads `text` as a value of the same type as `present`.
fn read_value(present: &Value, text: &str) -> Result<Value, String> {
    match present {
        Value::String(_) => Ok(Value::String(text.to_owned())),
        Value::Array(_) if !text.trim_start().starts_with('[') => {
            let items = text
                .split(',')
                .map(str::trim)
                .filter(|item| !item.is_empty());
            Ok(Value::Array(
                items.map(|item| Value::String(item.to_owned())).collect(),
            ))
        }
        _ => {
            let kind = present.type_str();
            let read: Table = format!("value = {text}")
                .parse()
                .map_err(|_| format!("\"{text}\" isn't {kind}"))?;
            read.get("value")
                .cloned()
                .ok_or_else(|| format!("\"{text}\" isn't {kind}"))
        }
    }
}

fn malformed(path: PathBuf, text: &str, error: &toml::de::Error) -> ConfigError {
    let offset = error.span().map_or(0, |span| span.start);
    let line = 1 + text
        .bytes()
        .take(offset)
        .filter(|byte| *byte == b'\n')
        .count();
    ConfigError::Malformed {
        path,
        line,
        message: explain(error.message()),
    }
}

/// Serde tells an unknown key by a text with all names in backticks, the unknown one first: this names the nearest.
fn explain(message: &str) -> String {
    let Some(rest) = message.strip_prefix("unknown field ") else {
        return message.to_owned();
    };
    let mut names = rest.split('`').skip(1).step_by(2);
    let unknown = names.next().unwrap_or_default();
    match names.min_by_key(|known| strsim::damerau_levenshtein(unknown, known)) {
        Some(nearest) => format!("there is no key \"{unknown}\" here; did you mean \"{nearest}\"?"),
        None => format!("there is no key \"{unknown}\" here; remove it"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(Path::new("spillway.toml"), text).map_err(|error| error.to_string())
    }

    fn with_variable(variable: &str, value: &str) -> Result<Config, String> {
        Config::load(None, [(variable.to_owned(), value.to_owned())])
            .map_err(|error| error.to_string())
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line_and_the_nearest_key() {
        let error = parse("[http]\nlisten = \"[::]:80\"\ntls_crt = \"x\"\n").unwrap_err();
        assert_eq!(
            error,
            "spillway.toml, line 3: there is no key \"tls_crt\" here; did you mean \"tls_cert\"?"
        );
    }

    #[test]
    fn an_unknown_section_is_named_too() {
        let error = parse("\n[limts]\nviewers = 5\n").unwrap_err();
        assert!(
            error.contains("line 2") && error.contains("\"limits\""),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_key_in_a_list_is_named_too() {
        let error = parse("[[auth.issuers]]\nname = \"a\"\njwk = \"b\"\n").unwrap_err();
        assert!(
            error.contains("line 3") && error.contains("\"jwks\""),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_its_line() {
        let error = parse("[limits]\nviewers = \"many\"\n").unwrap_err();
        assert!(
            error.starts_with("spillway.toml, line 2: invalid type"),
            "{error}"
        );
    }

    #[test]
    fn an_address_without_a_port_is_answered_with_an_example() {
        let error = parse("[http]\nlisten = \"8080\"\n").unwrap_err();
        assert!(
            error.starts_with("spillway.toml, line 2: \"8080\" isn't an IP address with a port"),
            "{error}"
        );
    }

    #[test]
    fn variables_of_every_type_override_the_file() {
        assert_eq!(
            with_variable("SPILLWAY_LIMITS_VIEWERS", "7")
                .unwrap()
                .limits
                .viewers,
            7
        );
        assert_eq!(
            with_variable("SPILLWAY_DATA_DIR", "/srv").unwrap().data_dir,
            Path::new("/srv")
        );
        assert!(
            with_variable("SPILLWAY_MEDIA_SINGLE_PORT", "true")
                .unwrap()
                .media
                .single_port
        );
        let announce = with_variable("SPILLWAY_MEDIA_ANNOUNCE", "192.0.2.1, 2001:db8::1")
            .unwrap()
            .media
            .announce;
        assert_eq!(announce.len(), 2);
        let grace = with_variable("SPILLWAY_CHANNELS_RECONNECT_GRACE", "2m")
            .unwrap()
            .channels
            .reconnect_grace;
        assert_eq!(grace, Duration::from_mins(2));
    }

    #[test]
    fn a_variable_of_the_wrong_type_is_named() {
        let error = with_variable("SPILLWAY_LIMITS_VIEWERS", "many").unwrap_err();
        assert!(
            error.contains("SPILLWAY_LIMITS_VIEWERS") && error.contains("many"),
            "{error}"
        );
    }

    #[test]
    fn variables_that_name_no_key_are_left_alone() {
        assert_eq!(
            with_variable("SPILLWAY_SERVICE_HOST", "10.0.0.1").unwrap(),
            Config::default()
        );
        assert_eq!(with_variable("HOME", "/root").unwrap(), Config::default());
    }

    #[test]
    fn a_file_that_is_missing_is_named() {
        let error = Config::load(Some(Path::new("/nonexistent/spillway.toml")), [])
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("/nonexistent/spillway.toml") && error.contains("check the path"),
            "{error}"
        );
    }
}
