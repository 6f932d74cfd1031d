//! What core says: one JSON object a message, over SOCK_SEQPACKET, a pipe's read end with it where one is meant.
//!
//! | message | means | answer |
//! |---|---|---|
//! | `{"unit":…,"invocation":…,"identifier":…,"priority":6,"levelPrefix":true}` and a descriptor | read this pipe; the same pipe again: its origin is new | none |
//! | `{"forget":"UNIT"}` | the unit is gone: read its pipes to their end, unfinished lines too, and let go of them | none |
//! | `{"sync":N}` | write down what can be read now; with `"unit"` that unit's unfinished lines too | `{"synced":N}` |
//! | anything else | | `{"error":"why"}` |

use crate::store::is_unit_name;
use crate::stream::Origin;
use serde::Deserialize;

/// A longer message is refused.
pub const MESSAGE_MAX: usize = 16 * 1024;
/// Longer identifiers are cut: each record carries it.
const IDENTIFIER_MAX: usize = 256;

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Read a pipe.
    Read(Origin),
    /// Let go of a unit's pipes.
    Forget(String),
    /// Say when everything is written.
    Sync {
        /// Given back in the answer.
        number: u64,
        /// Whose unfinished lines to take.
        unit: Option<String>,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    unit: Option<String>,
    #[serde(default)]
    invocation: String,
    #[serde(default)]
    identifier: String,
    priority: Option<u8>,
    #[serde(default)]
    level_prefix: bool,
    forget: Option<String>,
    sync: Option<u64>,
}

/// What a message asks for, or why it cannot be done.
pub fn parse(message: &[u8]) -> Result<Request, String> {
    let message: Message = serde_json::from_slice(message).map_err(|error| format!("not a message: {error}"))?;
    let unit = |name: String| if is_unit_name(&name) { Ok(name) } else { Err(format!("not a unit's name: {name:?}")) };
    match message {
        Message { sync: Some(number), forget: None, unit: named, .. } => {
            Ok(Request::Sync { number, unit: named.map(unit).transpose()? })
        }
        Message { forget: Some(name), sync: None, unit: None, .. } => Ok(Request::Forget(unit(name)?)),
        Message { unit: Some(name), forget: None, sync: None, invocation, identifier, priority, level_prefix } => {
            if invocation.len() > 64 || !invocation.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
                return Err(format!("not an invocation id: {invocation:?}"));
            }
            let priority = priority.unwrap_or(6);
            if priority > 7 {
                return Err(format!("not a priority: {priority}"));
            }
            let mut identifier = identifier;
            let end = (0..=IDENTIFIER_MAX.min(identifier.len())).rev().find(|at| identifier.is_char_boundary(*at));
            identifier.truncate(end.unwrap_or(0));
            Ok(Request::Read(Origin { unit: unit(name)?, invocation, identifier, priority, level_prefix }))
        }
        _ => Err("one of unit, forget and sync is needed".into()),
    }
}

/// The answer to a sync.
pub fn synced(number: u64) -> Vec<u8> {
    serde_json::json!({ "synced": number }).to_string().into_bytes()
}

/// The answer to what cannot be done.
pub fn error(why: &str) -> Vec<u8> {
    serde_json::json!({ "error": why }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_has_an_origin_with_defaults() {
        let message = br#"{"unit":"a.service","invocation":"0f","identifier":"a","priority":3,"levelPrefix":true}"#;
        let origin = Origin {
            unit: "a.service".into(),
            invocation: "0f".into(),
            identifier: "a".into(),
            priority: 3,
            level_prefix: true,
        };
        assert_eq!(parse(message), Ok(Request::Read(origin)));
        let Ok(Request::Read(origin)) = parse(b"{\"unit\":\"a.service\"}\n") else { panic!() };
        assert_eq!((origin.priority, origin.level_prefix), (6, false));
    }

    #[test]
    fn syncs_and_forgets_are_known() {
        assert_eq!(parse(br#"{"sync":7}"#), Ok(Request::Sync { number: 7, unit: None }));
        assert_eq!(parse(br#"{"sync":7,"unit":"a"}"#), Ok(Request::Sync { number: 7, unit: Some("a".into()) }));
        assert_eq!(parse(br#"{"forget":"a.service"}"#), Ok(Request::Forget("a.service".into())));
        assert_eq!(synced(7), br#"{"synced":7}"#);
    }

    #[test]
    fn everything_else_is_refused_with_a_reason() {
        for message in [
            &b""[..],
            b"[]",
            b"{}",
            br#"{"unit":"../etc/passwd"}"#,
            br#"{"unit":""}"#,
            br#"{"unit":"-"}x"#,
            br#"{"unit":"a","priority":8}"#,
            br#"{"unit":"a","priority":-1}"#,
            br#"{"unit":"a","invocation":"../"}"#,
            br#"{"forget":"a","sync":1}"#,
            br#"{"forget":"a","unit":"a"}"#,
            br#"{"forget":"a/b"}"#,
            br#"{"sync":"x"}"#,
            b"\xff",
        ] {
            assert!(parse(message).is_err(), "{}", String::from_utf8_lossy(message));
        }
    }

    #[test]
    fn an_identifier_without_end_is_cut_between_characters() {
        let message = format!("{{\"unit\":\"a\",\"identifier\":\"x{}\"}}", "é".repeat(4000));
        let Ok(Request::Read(origin)) = parse(message.as_bytes()) else { panic!() };
        assert_eq!(origin.identifier.len(), 255);
    }
}
