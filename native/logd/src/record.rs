//! One record: a line of JSON.
//!
//! | field | is |
//! |---|---|
//! | `t`, `m` | CLOCK_REALTIME and CLOCK_MONOTONIC in microseconds, when it was read |
//! | `p` | priority, 0 emergency to 7 debug (syslog(3)) |
//! | `u` | unit, `-` where nobody knows |
//! | `i` | identifier: SyslogIdentifier= or what the sender called itself |
//! | `inv` | invocation id of the unit, empty where unknown |
//! | `pid`, `f` | sender and facility; only with what came by /dev/log |
//! | `cut` | 1: not the end of the line; the rest follows, or follows once more in whole |
//! | `msg` | the text; `b64` in its place where the bytes are not UTF-8 |

use crate::clock::Moment;
use std::fmt::Write;

/// A record before it is written down.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    /// When it was read.
    pub at: Moment,
    /// 0..=7.
    pub priority: u8,
    /// The unit.
    pub unit: &'a str,
    /// SYSLOG_IDENTIFIER.
    pub identifier: &'a str,
    /// Invocation id, or empty.
    pub invocation: &'a str,
    /// Who sent a datagram.
    pub sender: Option<Sender>,
    /// The line goes on.
    pub cut: bool,
    /// The text, without its line break.
    pub message: &'a [u8],
}

/// What is known of the sender of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    /// Its process, as the kernel says.
    pub pid: i32,
    /// The facility it named, 0 kernel to 23 local7.
    pub facility: u8,
}

impl Record<'_> {
    /// Append the record and a line break.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let mut text = String::with_capacity(160 + self.message.len());
        // Writing to a String cannot fail.
        let _ = write!(
            text,
            "{{\"t\":{},\"m\":{},\"p\":{},\"u\":",
            self.at.realtime_us, self.at.monotonic_us, self.priority
        );
        quote(&mut text, self.unit);
        text.push_str(",\"i\":");
        quote(&mut text, self.identifier);
        text.push_str(",\"inv\":");
        quote(&mut text, self.invocation);
        if let Some(Sender { pid, facility }) = self.sender {
            let _ = write!(text, ",\"pid\":{pid},\"f\":{facility}");
        }
        if self.cut {
            text.push_str(",\"cut\":1");
        }
        match std::str::from_utf8(self.message) {
            Ok(message) => {
                text.push_str(",\"msg\":");
                quote(&mut text, message);
            }
            Err(_) => {
                text.push_str(",\"b64\":\"");
                base64(&mut text, self.message);
                text.push('"');
            }
        }
        text.push_str("}\n");
        out.extend_from_slice(text.as_bytes());
    }
}

/// A JSON string (RFC 8259, section 7).
fn quote(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '\x7f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
}

/// Base 64 with padding (RFC 4648, section 4).
fn base64(out: &mut String, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let sextet = (group >> (18 - 6 * place)) & 63;
            out.push(if place <= chunk.len() { char::from(ALPHABET[sextet as usize]) } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(message: &[u8], change: impl FnOnce(&mut Record<'_>)) -> serde_json::Value {
        let at = Moment { realtime_us: 5, monotonic_us: 3 };
        let mut record = Record {
            at,
            priority: 6,
            unit: "a\\x2d.service",
            identifier: "a",
            invocation: "00",
            sender: None,
            cut: false,
            message,
        };
        change(&mut record);
        let mut out = Vec::new();
        record.write_to(&mut out);
        assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), 1);
        serde_json::from_slice(&out).unwrap()
    }

    #[test]
    fn a_record_is_one_line_of_json_with_the_text_as_it_was() {
        let text = "tab\t quote\" back\\slash \u{1b}[0m \u{0} é \u{1F600} line\nbreak";
        let expected = serde_json::json!({"t":5,"m":3,"p":6,"u":"a\\x2d.service","i":"a","inv":"00","msg":text});
        assert_eq!(line(text.as_bytes(), |_| ()), expected);
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept_in_base64() {
        for (bytes, text) in
            [(&b"\xff"[..], "/w=="), (b"a\xff", "Yf8="), (b"a\xffb", "Yf9i"), (b"\xff\xfe\xfd\xfc", "//79/A==")]
        {
            let value = line(bytes, |_| ());
            assert_eq!((value["b64"].as_str(), value.get("msg")), (Some(text), None));
        }
    }

    #[test]
    fn sender_and_cut_are_there_only_where_they_say_something() {
        let value = line(b"x", |record| {
            record.sender = Some(Sender { pid: 7, facility: 3 });
            record.cut = true;
        });
        assert_eq!((value["pid"].as_i64(), value["f"].as_i64(), value["cut"].as_i64()), (Some(7), Some(3), Some(1)));
        let plain = line(b"x", |_| ());
        assert!(plain.get("pid").is_none() && plain.get("cut").is_none());
    }
}
